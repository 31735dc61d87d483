package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

// The bodies of v2's answers, in addition to Status (seen.go), journal.Update, journal.Report,
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
		Versions []InstalledVersion `json:"versions"`
	}
	// InstalledVersion is a version, with the services that run from it now.
	InstalledVersion struct {
		versions.Info
		Services []string `json:"services"`
	}
	// Pruned lists the versions a prune removed.
	Pruned struct {
		Removed []string `json:"removed"`
	}
	// Quarantine lists the releases in quarantine, newest first.
	Quarantine struct {
		Quarantine []journal.Quarantined `json:"quarantine"`
	}
	// ClearRequest names what is to leave the quarantine: a release, by digest or
	// version, or all. Why is for the journal.
	ClearRequest struct {
		Release string `json:"release,omitempty"`
		All     bool   `json:"all,omitempty"`
		Why     string `json:"why,omitempty"`
	}
	// Cleared lists the entries that left the quarantine.
	Cleared struct {
		Cleared []journal.Quarantined `json:"cleared"`
	}
	// ForgetRequest lets go of the signed releases that were committed. Why is for the
	// journal.
	ForgetRequest struct {
		Why string `json:"why"`
	}
	// Forgotten names the newest signed release, which was let go of. EpochFloor stays: a
	// release of a lower epoch is refused without force.
	Forgotten struct {
		Forgotten  string `json:"forgotten"`
		EpochFloor int64  `json:"epoch_floor,omitempty"`
	}
	// HoldRequest keeps offers from being installed: until a time, for a time of whole
	// seconds, minutes or hours ("90m"), or, without either, until they are released.
	HoldRequest struct {
		Until string `json:"until,omitempty"`
		For   string `json:"for,omitempty"`
		Why   string `json:"why"`
	}
	// Reloaded says what is in force after a reload.
	Reloaded struct {
		// Config is the file that was read. Trust says whom the device trusts.
		Config string `json:"config"`
		Trust  string `json:"trust"`
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
	due(w)
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
