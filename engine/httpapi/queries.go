package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// about tells a program that this is the updater, and of which version.
func (a *api) about(w http.ResponseWriter, _ *http.Request) {
	// Marshalling cannot fail: the value has four fields of strings.
	_ = answer(w, http.StatusOK, struct {
		Status  string   `json:"status"`
		Service string   `json:"service"`
		Version string   `json:"version"`
		APIs    []string `json:"apis"`
	}{"ok", "tope-updater", a.Version, []string{"/api/v1.0", "/api/v2"}})
}

func (a *api) updates(w http.ResponseWriter, _ *http.Request) error {
	all, err := a.Journal.Updates()
	if err != nil {
		return fmt.Errorf("cannot list the updates: %w", err)
	}
	return answer(w, http.StatusOK, Updates{list(UpdatesWithoutPasswords(all))})
}

func (a *api) update(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	all, err := a.Journal.Updates()
	if err != nil {
		return fmt.Errorf("cannot read update %s: %w", id, err)
	}
	for _, u := range UpdatesWithoutPasswords(all) {
		if u.ID == id {
			return answer(w, http.StatusOK, u)
		}
	}
	return noUpdate(id)
}

func noUpdate(id string) error {
	return fmt.Errorf("update %s: %w in the journal", quote(id), engine.ErrNotFound)
}

func (a *api) updateRecords(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	recs, err := a.Journal.Records(id)
	if err != nil {
		return fmt.Errorf("cannot read the records of update %s: %w", id, err)
	}
	if len(recs) == 0 {
		return noUpdate(id)
	}
	return writeRecords(w, r, recs)
}

func (a *api) records(w http.ResponseWriter, r *http.Request) error {
	recs, err := a.Journal.Records("")
	if err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	return writeRecords(w, r, recs)
}

// writeRecords answers with a list, or with JSON Lines for ?format=jsonl.
func writeRecords(w http.ResponseWriter, r *http.Request, recs []journal.Record) error {
	out := make([]Record, len(recs))
	for i, rec := range RecordsWithoutPasswords(recs) {
		out[i] = Record{Record: rec, Sum: rec.Sum}
	}
	switch f := r.URL.Query().Get("format"); f {
	case "", "json":
		return answer(w, http.StatusOK, Records{out})
	case "jsonl":
	default:
		return invalid("format %s is neither json nor jsonl", quote(f))
	}
	w.Header().Set("Content-Type", "application/jsonl")
	enc := json.NewEncoder(w)
	for _, rec := range out {
		_ = enc.Encode(rec) // the client may be gone; there is nobody else to tell
	}
	return nil
}

func (a *api) verifyJournal(w http.ResponseWriter, _ *http.Request) error {
	wait(w)
	report, err := a.Journal.Verify()
	if err != nil {
		return fmt.Errorf("cannot verify the journal: %w", err)
	}
	return answer(w, http.StatusOK, report)
}
