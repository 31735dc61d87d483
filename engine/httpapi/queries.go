package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tope/updater/engine"
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

// updates answers one update after the other: the list is shared by all answers, and
// its JSON is never in memory as a whole.
func (a *api) updates(w http.ResponseWriter, r *http.Request) error {
	t, err := large(w, r)
	if err != nil {
		return err
	}
	defer t.done()
	all, err := a.Journal.Updates()
	if err != nil {
		return fmt.Errorf("cannot list the updates: %w", err)
	}
	out := begin(w, t, "updates", false)
	for i := range all {
		if out.add(shownTo(r, withoutPasswords(all[i]))) != nil {
			return nil // the client has gone; there is nobody else to tell
		}
	}
	out.end()
	return nil
}

func (a *api) update(w http.ResponseWriter, r *http.Request) error {
	t, err := large(w, r)
	if err != nil {
		return err
	}
	defer t.done()
	id := r.PathValue("id")
	all, err := a.Journal.Updates()
	if err != nil {
		return fmt.Errorf("cannot read update %s: %w", id, err)
	}
	for _, u := range all {
		if u.ID == id {
			return t.write(func() error { return answer(w, http.StatusOK, shownTo(r, withoutPasswords(u))) })
		}
	}
	return noUpdate(id)
}

func noUpdate(id string) error {
	return fmt.Errorf("update %s: %w in the journal", quote(id), engine.ErrNotFound)
}

func (a *api) updateRecords(w http.ResponseWriter, r *http.Request) error {
	return a.writeRecords(w, r, r.PathValue("id"))
}

func (a *api) records(w http.ResponseWriter, r *http.Request) error {
	return a.writeRecords(w, r, "")
}

// recordsAtOnce is how much of the journal an answer holds in memory, in bytes as
// stored. A record that is larger is held whole.
const recordsAtOnce = 32 << 10

// writeRecords answers with the records of an update, or with all of them for "": a
// list, or JSON Lines for ?format=jsonl. They are read as the client takes them, and
// nothing of the journal is held while it does not. Records that are pruned meanwhile
// are left out, and those that are written meanwhile are added.
func (a *api) writeRecords(w http.ResponseWriter, r *http.Request, update string) error {
	lines := false
	format, given, err := parameter(r, "format")
	switch {
	case err != nil:
		return err
	case !given, format == "json":
	case format == "jsonl":
		lines = true
	default:
		return invalid("format %s is neither json nor jsonl", quote(format))
	}
	t, err := large(w, r)
	if err != nil {
		return err
	}
	defer t.done()
	var out *listing
	for last := uint64(0); ; {
		recs, err := a.Journal.Page(update, last, recordsAtOnce)
		switch {
		case err != nil && out == nil:
			return fmt.Errorf("cannot read the journal: %w", err)
		case err != nil:
			a.Log.Error("the journal cannot be read on; the answer is cut off", "after", last, "error", err)
			cutOff(r)
			return nil
		case len(recs) == 0 && out == nil && update != "":
			return noUpdate(update)
		}
		if out == nil {
			out = begin(w, t, "records", lines)
		}
		if len(recs) == 0 {
			out.end()
			return nil
		}
		for _, rec := range RecordsWithoutPasswords(recs) {
			if out.add(Record{Record: rec, Sum: rec.Sum}) != nil {
				return nil // the client has gone; there is nobody else to tell
			}
			last = rec.Seq
		}
	}
}

// listing is an answer that is written piece by piece: {"NAME":[…]}, or JSON Lines.
type listing struct {
	w     http.ResponseWriter
	turn  turn
	lines bool
	some  bool
	buf   bytes.Buffer
	enc   *json.Encoder
}

// begin begins an answer with status 200.
func begin(w http.ResponseWriter, t turn, name string, lines bool) *listing {
	l := &listing{w: w, turn: t, lines: lines}
	l.enc = json.NewEncoder(&l.buf)
	if lines {
		w.Header().Set("Content-Type", "application/jsonl")
		return l
	}
	w.Header().Set("Content-Type", "application/json")
	l.buf.WriteString(`{"` + name + `":[`)
	return l
}

func (l *listing) add(v any) error {
	if l.some && !l.lines {
		l.buf.WriteByte(',')
	}
	l.some = true
	if err := l.enc.Encode(v); err != nil {
		return err
	}
	if !l.lines {
		l.buf.Truncate(l.buf.Len() - 1) // the line's end
	}
	return l.flush()
}

func (l *listing) end() {
	if !l.lines {
		l.buf.WriteString("]}\n")
	}
	_ = l.flush() // the client may be gone; there is nobody else to tell
}

func (l *listing) flush() error {
	err := l.turn.write(func() error { _, err := l.w.Write(l.buf.Bytes()); return err })
	l.buf.Reset()
	return err
}

func (a *api) verifyJournal(w http.ResponseWriter, r *http.Request) error {
	t, err := large(w, r)
	if err != nil {
		return err
	}
	defer t.done()
	wait(w)
	report, err := a.Journal.Verify()
	if err != nil {
		return fmt.Errorf("cannot verify the journal: %w", err)
	}
	return t.write(func() error { return answer(w, http.StatusOK, report) })
}
