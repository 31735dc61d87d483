package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// The bodies of v2's answers, in addition to engine.Status, journal.Update, journal.Report,
// versions.Verification and versions.FactoryReport, which are shown as they are.
type (
	// Accepted answers a POST that started an update or changed its course.
	Accepted struct {
		Update string `json:"update"`
	}
	// Updates lists the updates the journal keeps, newest first.
	Updates struct {
		Updates []journal.Update `json:"updates"`
	}
	// Records lists records in the order they were written.
	Records struct {
		Records []Record `json:"records"`
	}
	// Record is a record with its link in the chain.
	Record struct {
		journal.Record
		Sum string `json:"sum"`
	}
	// Installed lists the versions on the device, newest first.
	Installed struct {
		Versions []versions.Info `json:"versions"`
	}
	// Pruned lists the versions a prune removed.
	Pruned struct {
		Removed []string `json:"removed"`
	}
	// Links lists the links outside the versions, and those that should be there.
	Links struct {
		Links []versions.Link `json:"links"`
	}
	// LinksRequest says how far the repair of links may go.
	LinksRequest struct {
		// Pointers asks to set current and previous as well where they lead nowhere.
		Pointers bool `json:"pointers"`
		// Current is the version that Pointers sets current to. When it is empty
		// the server chooses: see versions.Store.SetPointers.
		Current string `json:"current,omitempty"`
		// Adopt moves aside a file that has a link's name.
		Adopt bool `json:"adopt"`
	}
	// LinksRepaired lists the links outside the versions that were added and
	// removed, the pointers set, and the new names of files that were in the way.
	LinksRepaired struct {
		Pointers []string `json:"pointers,omitempty"`
		Aside    []string `json:"aside,omitempty"`
		Added    []string `json:"added"`
		Removed  []string `json:"removed"`
	}
)

// answer writes v as JSON. An error means the client has gone.
func answer(w http.ResponseWriter, status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
	return nil
}

// accepted answers 202 with the Location of the update.
func accepted(w http.ResponseWriter, location string, v any) error {
	w.Header().Set("Location", location)
	return answer(w, http.StatusAccepted, v)
}

// list makes sure that an empty list is written as [], not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
