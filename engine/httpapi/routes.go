package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
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
	Rollback(ctx context.Context, to string, how engine.Turning) (id string, err error)
	RestoreFactory(ctx context.Context, how engine.Turning) (id string, err error)
	Quarantine() []journal.Quarantined
	Unquarantine(ctx context.Context, which, why string) ([]journal.Quarantined, error)
	ForgetTrust(ctx context.Context, why string) (was string, floor int64, err error)
	Exclusive(ctx context.Context, what string, f func(context.Context) error) error
	Journal() *journal.Fold
	Hold(ctx context.Context, h journal.Hold) error
	Unhold(ctx context.Context) error
}

// Fleet is what the API does with a source of offers: fleet.Loop.
type Fleet interface {
	Status() fleet.Status
	// Check asks the source now.
	Check(ctx context.Context) error
}

// Journal has the methods of journal.Journal that the API reads with.
type Journal interface {
	Updates() ([]journal.Update, error)
	Page(update string, after uint64, size int) ([]journal.Record, error)
	Verify() (journal.Report, error)
}

// Versions is what the API does with versions.Store. Methods that change
// something are called from within Engine.Exclusive.
type Versions interface {
	Pointers() (versions.Pointers, error)
	Raw(pointer string) (target string, ok bool, err error)
	Path(version string) string
	List() ([]versions.Info, error)
	Verify(ctx context.Context, version string) (versions.Verification, error)
	Prune(keep int, needed ...string) ([]string, error)
	CreateFactory(ctx context.Context, version string, replace bool) (versions.FactoryReport, error)
	Links(version string) ([]versions.Link, error)
	EnsureLinks(version string) (added []string, err error)
	SweepLinks(version string) (removed []string, err error)
	AdoptLinks(ctx context.Context, version string) (aside []string, err error)
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
	// Services looks at the services; the zero value when nobody here runs any.
	Services Eyes
	// Reload has the daemon read its configuration and keys anew; nil where no
	// daemon runs.
	Reload func(ctx context.Context) (Reloaded, error)
	// Denied tells, a line each, what this process's sandbox keeps it from; nil where
	// there is none.
	Denied func() []string
	// Keep is how many versions a prune keeps when the request does not say.
	Keep int
	// Tokens are the device's; nil accepts none.
	Tokens Tokens
	// Legacy is what the legacy API gives over TCP; empty is LegacyOpen.
	Legacy LegacyAccess
	// LAN tells of the network's door; nil where there is none.
	LAN func() LANStatus
	// Fleet asks the source of offers; nil when none is configured.
	Fleet Fleet
}

type api struct {
	Options
	buffers  buffers
	presence *presence
	attempts attempts
}

// route is one entry of the API. Exactly one of the two functions is set.
type route struct {
	method, path string
	// needs is what a request must have the right to.
	needs Rights
	plain http.HandlerFunc
	v2    func(w http.ResponseWriter, r *http.Request) error
}

func (a *api) routes() []route {
	return []route{
		{method: "GET", path: "/{$}", needs: Look, plain: a.about},
		{method: "GET", path: LegacyPrefix + "progress", needs: Look, plain: a.progress},
		{method: "POST", path: LegacyPrefix + "download", needs: LegacyInstall, plain: a.legacyDownload},
		{method: "POST", path: LegacyPrefix + "update", needs: LegacyInstall, plain: a.legacyUpdate},

		{method: "GET", path: "/api/v2/openapi.json", needs: Look, plain: a.openAPI},
		{method: "GET", path: "/api/v2/status", needs: Look, v2: a.status},
		{method: "GET", path: "/api/v2/updates", needs: Look, v2: a.updates},
		{method: "GET", path: "/api/v2/updates/{id}", needs: Look, v2: a.update},
		{method: "GET", path: "/api/v2/updates/{id}/journal", needs: ReadPrivate, v2: a.updateRecords},
		{method: "GET", path: "/api/v2/journal", needs: ReadPrivate, v2: a.records},
		{method: "GET", path: "/api/v2/journal/verify", needs: ReadPrivate, v2: a.verifyJournal},
		{method: "GET", path: "/api/v2/versions", needs: Look, v2: a.versions},
		{method: "POST", path: "/api/v2/versions/{version}/verify", needs: ReadPrivate, v2: a.verifyVersion},
		{method: "GET", path: "/api/v2/links", needs: Look, v2: a.links},
		{method: "GET", path: quarantinePath, needs: Look, v2: a.quarantine},
		{method: "GET", path: fleetPath, needs: Look, v2: a.fleet},

		// With force or retry it needs Operate.
		{method: "POST", path: "/api/v2/install", needs: InstallUpdates, v2: a.install},
		{method: "POST", path: "/api/v2/proceed", needs: InstallUpdates, v2: a.proceed},
		{method: "POST", path: "/api/v2/cancel", needs: InstallUpdates, v2: a.cancel},
		{method: "POST", path: fleetPath + "/check", needs: InstallUpdates, v2: a.checkFleet},
		{method: "POST", path: fleetPath + "/install", needs: InstallUpdates, v2: a.installOffer},
		{method: "POST", path: fleetPath + "/hold", needs: Operate, v2: a.hold},
		{method: "POST", path: fleetPath + "/release", needs: Operate, v2: a.release},
		{method: "POST", path: "/api/v2/rollback", needs: Operate, v2: a.rollback},
		{method: "POST", path: "/api/v2/prune", needs: Operate, v2: a.prune},
		{method: "POST", path: "/api/v2/factory/create", needs: Operate, v2: a.createFactory},
		{method: "POST", path: "/api/v2/factory/verify", needs: ReadPrivate, v2: a.verifyFactory},
		{method: "POST", path: "/api/v2/factory/restore", needs: Operate, v2: a.restoreFactory},
		{method: "POST", path: "/api/v2/links", needs: Operate, v2: a.repairLinks},
		{method: "POST", path: quarantinePath + "/clear", needs: Operate, v2: a.clearQuarantine},
		{method: "POST", path: "/api/v2/reload", needs: Operate, v2: a.reload},
		{method: "POST", path: trustPath + "/forget", needs: RootOnly, v2: a.forgetTrust},
	}
}

// New makes the handler of both APIs.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Legacy == "" {
		o.Legacy = LegacyOpen
	}
	a := &api{Options: o, presence: &presence{eyes: o.Services, clock: o.Clock, status: o.Engine.Status}}
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		h := r.plain
		if h == nil {
			h = a.problems(r.v2)
		}
		mux.HandleFunc(r.method+" "+r.path, a.admitted(r.needs, strings.HasPrefix(r.path, LegacyPrefix), h))
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
		// That the source does not answer is its failure, and told by the loop.
		if p.Status >= http.StatusInternalServerError && !errors.Is(err, ErrSource) {
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
