package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// eachWay runs a test over a daemon's socket and in the same process: a verb
// must not be able to tell.
func eachWay(t *testing.T, f func(t *testing.T, d *httpapitest.Device, c *client.Client)) {
	t.Run("socket", func(t *testing.T) {
		d := httpapitest.New()
		f(t, d, client.Socket(listen(t, d.Handler())))
	})
	t.Run("in process", func(t *testing.T) {
		d := httpapitest.New()
		f(t, d, client.InProcess(d.Handler()))
	})
}

func listen(t *testing.T, h http.Handler) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), httpapi.SocketName)
	s, err := httpapi.Listen(httpapi.ServerOptions{Handler: h, Socket: socket})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return socket
}

func TestVerbsReachTheEngine(t *testing.T) {
	eachWay(t, func(t *testing.T, d *httpapitest.Device, c *client.Client) {
		ctx := t.Context()
		full := engine.InstallRequest{
			Source: steps.Source{URL: source.New("http://h/b.zip"), Name: "b.zip", Size: 9, MD5: "600aff0f78265dd25bb6907828f916dd", Version: "1.2.0"},
			Hold:   true, Retry: true,
		}
		for _, begin := range []func() (string, error){
			func() (string, error) { return c.Install(ctx, full) },
			func() (string, error) {
				return c.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("/tmp/b.zip")}, Check: true})
			},
			func() (string, error) { return c.Proceed(ctx, "1.2.0") },
			func() (string, error) { return c.Cancel(ctx) },
			func() (string, error) { return c.Rollback(ctx, "", engine.Turning{}) },
			func() (string, error) { return c.Rollback(ctx, "1.0.0", engine.Turning{Force: true}) },
			func() (string, error) { return c.RestoreFactory(ctx, engine.Turning{}) },
			func() (string, error) { return c.InstallOffer(ctx) },
		} {
			id, err := begin()
			require.NoError(t, err)
			require.Equal(t, "u2", id)
		}
		_, err := c.Prune(ctx, -1)
		require.NoError(t, err)
		_, err = c.Prune(ctx, 0)
		require.NoError(t, err)
		_, err = c.CreateFactory(ctx, "", false)
		require.NoError(t, err)
		_, err = c.CreateFactory(ctx, "1.0.0", true)
		require.NoError(t, err)
		repaired, err := c.RepairLinks(ctx, httpapi.LinksRequest{})
		require.NoError(t, err)
		require.Equal(t, []string{"/usr/local/bin/web-server"}, repaired.Added)
		_, err = c.ClearQuarantine(ctx, httpapi.ClearRequest{All: true, Why: "tried elsewhere"})
		require.NoError(t, err)
		for _, steer := range []func() (fleet.Status, error){
			func() (fleet.Status, error) { return c.CheckFleet(ctx) },
			func() (fleet.Status, error) { return c.Hold(ctx, httpapi.HoldRequest{Why: "a fair"}) },
			func() (fleet.Status, error) { return c.Release(ctx) },
			func() (fleet.Status, error) { return c.Fleet(ctx) },
		} {
			s, err := steer()
			require.NoError(t, err)
			require.Equal(t, d.Options().Fleet.Status(), s)
		}
		require.Equal(t, []string{
			"install {Source:{URL:http://h/b.zip Name:b.zip Size:9 MD5:600aff0f78265dd25bb6907828f916dd Version:1.2.0} Hold:true Retry:true Force:false Check:false}",
			"install {Source:{URL:/tmp/b.zip Name: Size:0 MD5: Version:} Hold:false Retry:false Force:false Check:true}",
			"proceed 1.2.0", "cancel", `rollback ""`, `rollback "1.0.0" by force`, "restore factory", "check the fleet", "proceed 1.2.0",
			"exclusive prune", "prune 3", "exclusive prune", "prune 0",
			"exclusive factory create 1.1.0", "create factory 1.1.0 false", "exclusive factory create 1.0.0", "create factory 1.0.0 true",
			"exclusive links", "ensure links 1.1.0", "sweep links 1.1.0",
			`unquarantine "": cleared: tried elsewhere`,
			"check the fleet", "hold until released: a fair", "unhold",
		}, d.Calls())
	})
}

func TestQueries(t *testing.T) {
	eachWay(t, func(t *testing.T, d *httpapitest.Device, c *client.Client) {
		ctx := t.Context()
		require.NoError(t, c.Alive(ctx))

		updates, err := c.Updates(ctx)
		require.NoError(t, err)
		u, err := c.Update(ctx, "u1")
		require.NoError(t, err)
		require.Equal(t, updates[0], u)

		want, err := d.Options().Journal.Page("u1", 0, 1)
		require.NoError(t, err)
		for _, id := range []string{"u1", ""} {
			recs, err := c.Records(ctx, id)
			require.NoError(t, err)
			require.Equal(t, want, recs, "nothing is lost on the way, the chain included")
		}
		var b strings.Builder
		require.NoError(t, c.Export(ctx, &b))
		require.Equal(t, 2, strings.Count(b.String(), "\n"))
		_, err = c.VerifyJournal(ctx)
		require.NoError(t, err)

		all, err := c.Versions(ctx)
		require.NoError(t, err)
		require.Equal(t, "1.1.0", all[0].Version)
		v, err := c.VerifyVersion(ctx, "1.0.0")
		require.NoError(t, err)
		require.True(t, v.OK())
		v, err = c.VerifyFactory(ctx)
		require.NoError(t, err)
		require.Equal(t, "1.0.0", v.Version)
		d.Change(func(st *engine.Status) { st.Quarantine = []journal.Quarantined{{Version: "1.3.0", Digest: "md5:13"}} })
		bad, err := c.Quarantine(ctx)
		require.NoError(t, err)
		require.Equal(t, d.Options().Engine.Status().Quarantine, bad)
		links, err := c.Links(ctx)
		require.NoError(t, err)
		require.Equal(t, versions.LinkMissing, links[0].State)
	})
}

func TestErrorsAreTheEnginesOnBothPaths(t *testing.T) {
	eachWay(t, func(t *testing.T, d *httpapitest.Device, c *client.Client) {
		for _, want := range []error{
			engine.ErrQuarantined, engine.ErrTooLate, engine.ErrNothingToDo, engine.ErrExpired, engine.ErrNotFound, engine.ErrInvalid, engine.ErrJournal,
			versions.ErrInUse, versions.ErrExists, versions.ErrNotFound, versions.ErrFactorySet, versions.ErrCurrentSet, versions.ErrForeign,
			versions.ErrDamaged, versions.ErrMismatch, versions.ErrNotExecutable,
			versions.ErrSpecialBits, versions.ErrStrayLink, versions.ErrNoManifest, disk.ErrMounted,
		} {
			d.Fail(wrapped{want})
			_, err := c.Rollback(t.Context(), "", engine.Turning{})
			require.ErrorIs(t, err, want)
			require.EqualError(t, err, "what was asked for: "+want.Error())
			for _, other := range []error{engine.ErrBusy, engine.ErrTooLate, versions.ErrInUse} {
				if !errors.Is(want, other) {
					require.NotErrorIs(t, err, other)
				}
			}
		}
		d.Fail(wrapped{versions.ErrNotFound})
		_, err := c.VerifyVersion(t.Context(), "1.0.0")
		require.ErrorIs(t, err, engine.ErrNotFound, "one exit code for what is missing")

		d.Fail(&engine.BusyError{Update: "u2", State: engine.Staging})
		_, err = c.Rollback(t.Context(), "", engine.Turning{})
		var busy *engine.BusyError
		require.ErrorAs(t, err, &busy)
		require.ErrorIs(t, err, engine.ErrBusy)
		require.Equal(t, engine.BusyError{Update: "u2", State: engine.Staging}, *busy)

		d.Fail(&steps.Error{Class: steps.Refused, Code: steps.InvalidPackage, Err: errors.New("bad"), Hint: "publish it again"})
		_, err = c.Rollback(t.Context(), "", engine.Turning{})
		var step *steps.Error
		require.ErrorAs(t, err, &step)
		require.Equal(t, steps.Refused, step.Class)
		require.Equal(t, steps.InvalidPackage, step.Code)
		require.EqualError(t, err, "bad; publish it again")
	})
}

type wrapped struct{ err error }

func (w wrapped) Error() string { return "what was asked for: " + w.err.Error() }
func (w wrapped) Unwrap() error { return w.err }

func TestUpdatesThatAreMissing(t *testing.T) {
	eachWay(t, func(t *testing.T, _ *httpapitest.Device, c *client.Client) {
		_, err := c.Update(t.Context(), "../u1?x=/")
		require.ErrorIs(t, err, engine.ErrNotFound)
		_, err = c.Records(t.Context(), "u9")
		require.ErrorIs(t, err, engine.ErrNotFound)
	})
}

func TestWatchShowsEachChangeAndTicksBetween(t *testing.T) {
	eachWay(t, func(t *testing.T, d *httpapitest.Device, c *client.Client) {
		shown := make(chan engine.State)
		watched := make(chan error, 1)
		go func() {
			watched <- c.Watch(t.Context(), time.Second, func(s httpapi.Status) bool {
				shown <- s.State
				return !engine.Terminal(s.State)
			})
		}()
		require.Equal(t, engine.Idle, <-shown)
		d.Clock.Await(1)
		d.Open(engine.Downloading, 0)
		require.Equal(t, engine.Downloading, <-shown)
		d.Clock.Await(2) // the first wait's timer is not used up
		d.Clock.Advance(time.Second)
		require.Equal(t, engine.Downloading, <-shown)
		d.Open(engine.Committed, 100)
		require.Equal(t, engine.Committed, <-shown)
		require.NoError(t, <-watched)
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	eachWay(t, func(t *testing.T, _ *httpapitest.Device, c *client.Client) {
		why := errors.New("the user pressed ^C")
		ctx, cancel := context.WithCancelCause(t.Context())
		err := c.Watch(ctx, time.Second, func(httpapi.Status) bool {
			cancel(why)
			return true
		})
		require.ErrorIs(t, err, why)
	})
}

func TestEnded(t *testing.T) {
	u := func(id string, s engine.State) *engine.UpdateStatus { return &engine.UpdateStatus{ID: id, State: s} }
	for name, c := range map[string]struct {
		status engine.Status
		found  bool
		over   bool
	}{
		"open":              {engine.Status{Update: u("u1", engine.Staging)}, true, false},
		"being cleaned up":  {engine.Status{Update: u("u1", engine.Committed)}, true, true},
		"over":              {engine.Status{Last: u("u1", engine.RolledBack)}, true, true},
		"over, another one": {engine.Status{Update: u("u2", engine.Staging), Last: u("u1", engine.Failed)}, true, true},
		"long over":         {engine.Status{Last: u("u3", engine.Committed)}, false, true},
	} {
		got, over := client.Ended(c.status, "u1")
		require.Equal(t, c.found, got != nil, name)
		require.Equal(t, c.over, over, name)
	}
}

func TestNoDaemon(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, client.Socket(filepath.Join(dir, "api.sock")).Alive(t.Context()), client.ErrNoDaemon)
	long := filepath.Join(dir, strings.Repeat("x", 200), "api.sock")
	require.ErrorIs(t, client.Socket(long).Alive(t.Context()), client.ErrNoDaemon)

	socket := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()
	require.ErrorIs(t, client.Socket(socket).Alive(t.Context()), client.ErrNoDaemon)
}

func TestAHungDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "hung.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close() // nobody ever accepts
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, client.ErrNoAnswer)
	defer cancel()
	require.ErrorIs(t, client.Socket(socket).Alive(ctx), client.ErrNoAnswer)
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":    "",
		"not HTTP":   "SSH-2.0-OpenSSH\r\n",
		"cut off":    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"schema\":1",
		"not JSON":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"no problem": "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nhi",
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "odd.sock")
			l, err := net.Listen("unix", socket)
			require.NoError(t, err)
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Read(make([]byte, 1<<10))
					_, _ = io.WriteString(c, answer)
					c.Close()
				}
			}()
			_, err = client.Socket(socket).Status(t.Context())
			require.Error(t, err)
			require.NotErrorIs(t, err, client.ErrNoDaemon)
			require.ErrorContains(t, err, socket)
		})
	}
}
