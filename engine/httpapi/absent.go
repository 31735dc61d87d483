package httpapi

import (
	"fmt"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
)

// LegacyPrefix is what the paths of the legacy API begin with.
const LegacyPrefix = "/api/v1.0/"

// AbsentOptions say how requests are answered while there is no engine.
type AbsentOptions struct {
	// Hosts are those of Options.
	Hosts []string
	// Why there is no engine.
	Why error
	// Status is what clients were told last; known is false when nobody remembers.
	Status func() (st engine.Status, known bool)
}

// Absent makes the handler that answers while there is no engine: the updater is
// starting, or its journal is opened again. A poll of the legacy API gets a body that
// it knows, and requests of that API are refused in its words. All others get problem
// details (503).
func Absent(o AbsentOptions) http.Handler {
	mux := http.NewServeMux()
	view := func() legacy.View {
		st, known := o.Status()
		return legacy.Absent(st, known)
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		r := legacy.Refuse(fmt.Errorf("%w; try again in a moment", o.Why), "", view())
		writeJSON(w, r.HTTP, r.Body)
	}
	mux.HandleFunc("GET "+LegacyPrefix+"progress", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, legacy.AppendProgress(nil, view()))
	})
	mux.HandleFunc("POST "+LegacyPrefix+"download", refuse)
	mux.HandleFunc("POST "+LegacyPrefix+"update", refuse)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problemOf(fmt.Errorf("%w: %w", engine.ErrJournal, o.Why)).write(w)
	})
	return newGuard(o.Hosts, mux)
}
