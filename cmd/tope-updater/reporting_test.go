package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/deviceapi"
	"github.com/tope/updater/platform/disk"
)

// listener is device-api as far as it takes reports.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	away bool
	ends []string // messages
}

func listens(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var said deviceapi.Report
		err := json.NewDecoder(r.Body).Decode(&said)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil || l.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if said.Stage == "success" || said.Stage == "failed" {
			l.ends = append(l.ends, said.Message)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) goes(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// heard are the ends that it has been told.
func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.ends...)
}

// reporting is a daemon that tells device-api of the updates of an engine.
type reporting struct {
	*daemon
	t     *testing.T
	clock *clocktest.Fake
}

func newReporting(t *testing.T, api *listener) *reporting {
	t.Helper()
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	clk := clocktest.New()
	d := &daemon{device: &device{root: root, clock: clk, log: slog.New(slog.DiscardHandler)}}
	d.cfg.DeviceAPI.URL, d.cfg.Paths.State = api.URL, "/state"
	require.NoError(t, os.MkdirAll(filepath.Join(root.Dir(), "state"), 0o755))
	return &reporting{d, t, clk}
}

// note writes what a program before 0.10 has noted.
func (r *reporting) note(update string) string {
	path := filepath.Join(r.root.Dir(), "state/reported")
	require.NoError(r.t, os.WriteFile(path, []byte(update+"\n"), 0o600))
	return path
}

// life is one process: it takes requests and reports until so is true.
func (r *reporting) life(d *enginetest.Device, so func(e *engine.Engine) bool, ask ...enginetest.Request) {
	r.t.Helper()
	e := d.Up(r.t, func(c *engine.Config) { c.Everywhere = []string{deviceAPI} })
	ctx, cancel := context.WithCancel(r.t.Context())
	var reports sync.WaitGroup
	reports.Go(func() { r.report(ctx, e.Engine) })
	for _, req := range ask {
		_, err := req(ctx, e.Engine)
		require.NoError(r.t, err)
		e.Until(engine.Idle)
	}
	// Slowly, for a report that takes five seconds is tried again.
	require.Eventually(r.t, func() bool { r.clock.Advance(20 * time.Millisecond); return so(e.Engine) }, 20*time.Second, time.Millisecond)
	cancel()
	reports.Wait()
	require.NoError(r.t, e.Stop())
}

// looks is true when the loop of reports has looked at the clock often enough.
func looks() func(*engine.Engine) bool {
	n := 0
	return func(*engine.Engine) bool { n++; return n > 150 }
}

func toldAll(e *engine.Engine) bool { return len(e.Journal().Outbox) == 0 }

// Each end is told once: over lives, and when device-api was away for the whole update.
func TestEachEndIsReportedOnce(t *testing.T) {
	api, d := listens(t), enginetest.NewDevice()
	r := newReporting(t, api)
	r.life(d, toldAll, enginetest.Install)
	require.Len(t, api.heard(), 1)
	first := api.heard()[0]
	r.life(d, looks())
	require.Len(t, api.heard(), 1, "and not in the next life")

	api.goes(true)
	r.life(d, looks(), func(ctx context.Context, e *engine.Engine) (string, error) {
		return e.Rollback(ctx, "", engine.Turning{})
	})
	require.Len(t, d.J.State().Outbox, 1)
	require.Len(t, api.heard(), 1)
	api.goes(false)
	r.life(d, toldAll)
	require.Len(t, api.heard(), 2)
	r.life(d, looks())
	require.Equal(t, first, api.heard()[0])
	require.Len(t, api.heard(), 2)
}

// A device comes from a program that noted in a file what device-api has acknowledged.
func TestReportsGoOnFromAnEarlierProgram(t *testing.T) {
	for name, c := range map[string]struct {
		noted func(last string) string
		ends  int
	}{
		"it was told":                 {func(last string) string { return last }, 0},
		"only of the update before":   {func(string) string { return "before" }, 1},
		"nobody was told of anything": {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			api, d := listens(t), enginetest.NewDevice()
			require.NoError(t, d.Live(enginetest.Install, nil)) // tells nobody
			r := newReporting(t, api)
			path := filepath.Join(r.root.Dir(), "state/reported")
			if c.noted != nil {
				path = r.note(c.noted(d.J.State().Last.ID))
			}
			over := func(e *engine.Engine) bool { return e.Journal().Last.EndOwed && toldAll(e) }
			r.life(d, over)
			require.Len(t, api.heard(), c.ends)
			require.NoFileExists(t, path)
			r.life(d, looks())
			require.Len(t, api.heard(), c.ends, "once")
			r.life(d, toldAll, func(ctx context.Context, e *engine.Engine) (string, error) {
				return e.Rollback(ctx, "", engine.Turning{})
			})
			require.Len(t, api.heard(), c.ends+1)
		})
	}
}

// A damaged journal may have lost the update whose end is owed: the outbox knows enough.
func TestAnEndWithoutItsUpdateIsReported(t *testing.T) {
	api, d := listens(t), enginetest.NewDevice()
	r := newReporting(t, api)
	api.goes(true)
	d.Sick["1.1.0"] = true
	r.life(d, looks(), enginetest.Install)
	owed := d.J.State().OwedTo(deviceAPI)
	require.NotNil(t, owed)
	whole := reportOf(*status(t, d).Last)
	part := reportOf(endOwed(nil, owed))
	require.Equal(t, whole.Stage, part.Stage)
	require.Equal(t, whole.Message, part.Message)
	require.Equal(t, whole.Error, part.Error)
	require.Equal(t, whole.Update, part.Update)
}

func status(t *testing.T, d *enginetest.Device) engine.Status {
	t.Helper()
	e, err := d.Engine()
	require.NoError(t, err)
	return e.Status()
}
