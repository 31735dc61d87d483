package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
)

// Engine has the methods of engine.Engine that the API needs.
type Engine interface {
	Status() engine.Status
	Changed() <-chan struct{}
	Install(ctx context.Context, r engine.InstallRequest) (id string, err error)
	Proceed(ctx context.Context, version string) (id string, err error)
	Cancel(ctx context.Context) (id string, err error)
	Rollback(ctx context.Context, to string, force bool) (id string, err error)
	RestoreFactory(ctx context.Context) (id string, err error)
	Exclusive(ctx context.Context, what string, f func(context.Context) error) error
}

// Journal has the methods of journal.Journal that the API reads with.
type Journal interface {
	Updates() ([]journal.Update, error)
	Records(update string) ([]journal.Record, error)
	Verify() (journal.Report, error)
}

// Versions is what the API does with versions.Store. Methods that change
// something are called from within Engine.Exclusive.
type Versions interface {
	Pointers() (versions.Pointers, error)
	List() ([]versions.Info, error)
	Verify(ctx context.Context, version string) (versions.Verification, error)
	Prune(keep int, needed ...string) ([]string, error)
	CreateFactory(ctx context.Context, version string, replace bool) (versions.FactoryReport, error)
	Links(version string) ([]versions.Link, error)
	EnsureLinks(version string) (added []string, err error)
	SweepLinks(version string) (removed []string, err error)
	AdoptLinks(version string) (aside []string, err error)
	SetPointers(current string) (set []string, err error)
}

// Options holds the parts of a handler. Log and Hosts may be nil.
type Options struct {
	Engine   Engine
	Journal  Journal
	Versions Versions
	Clock    clock.Clock
	Log      *slog.Logger
	// Version is this program's, for GET /.
	Version string
	// Hosts are further names of the device, in addition to localhost and the
	// loopback addresses. A request for any other host is refused.
	Hosts []string
	// Keep is how many versions a prune keeps when the request does not say.
	Keep int
}

type api struct {
	Options
	buffers buffers
}

// route is one entry of the API. Exactly one of the two functions is set.
type route struct {
	method, path string
	plain        http.HandlerFunc
	v2           func(w http.ResponseWriter, r *http.Request) error
}

func (a *api) routes() []route {
	return []route{
		{method: "GET", path: "/{$}", plain: a.about},
		{method: "GET", path: "/api/v1.0/progress", plain: a.progress},
		{method: "POST", path: "/api/v1.0/download", plain: a.legacyDownload},
		{method: "POST", path: "/api/v1.0/update", plain: a.legacyUpdate},

		{method: "GET", path: "/api/v2/openapi.json", plain: a.openAPI},
		{method: "GET", path: "/api/v2/status", v2: a.status},
		{method: "GET", path: "/api/v2/updates", v2: a.updates},
		{method: "GET", path: "/api/v2/updates/{id}", v2: a.update},
		{method: "GET", path: "/api/v2/updates/{id}/journal", v2: a.updateRecords},
		{method: "GET", path: "/api/v2/journal", v2: a.records},
		{method: "GET", path: "/api/v2/journal/verify", v2: a.verifyJournal},
		{method: "GET", path: "/api/v2/versions", v2: a.versions},
		{method: "POST", path: "/api/v2/versions/{version}/verify", v2: a.verifyVersion},
		{method: "GET", path: "/api/v2/links", v2: a.links},

		{method: "POST", path: "/api/v2/install", v2: a.install},
		{method: "POST", path: "/api/v2/proceed", v2: a.proceed},
		{method: "POST", path: "/api/v2/cancel", v2: a.cancel},
		{method: "POST", path: "/api/v2/rollback", v2: a.rollback},
		{method: "POST", path: "/api/v2/prune", v2: a.prune},
		{method: "POST", path: "/api/v2/factory/create", v2: a.createFactory},
		{method: "POST", path: "/api/v2/factory/verify", v2: a.verifyFactory},
		{method: "POST", path: "/api/v2/factory/restore", v2: a.restoreFactory},
		{method: "POST", path: "/api/v2/links", v2: a.repairLinks},
	}
}

// New makes the handler of both APIs.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{Options: o}
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		h := r.plain
		if h == nil {
			h = a.problems(r.v2)
		}
		mux.HandleFunc(r.method+" "+r.path, h)
	}
	return newGuard(o.Hosts, unrouted(mux))
}

// problems turns the error of a v2 handler into problem details.
func (a *api) problems(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError {
			a.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		p.write(w)
	}
}

// unrouted answers requests that match no route with problem details; the mux
// itself would answer 404 and 405 in plain text.
func unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &headerOnly{header: http.Header{}}
		h.ServeHTTP(probe, r)
		p := newProblem(noRoute, "there is no "+r.URL.Path+" here; GET /api/v2/openapi.json lists what there is")
		if probe.status == http.StatusMethodNotAllowed {
			allow := probe.header.Get("Allow")
			w.Header().Set("Allow", allow)
			p = newProblem(wrongMethod, r.URL.Path+" takes "+allow+", not "+r.Method)
		}
		p.write(w)
	})
}

// headerOnly is a response of which only status and header matter.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
