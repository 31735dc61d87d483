package systemd_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/service/systemd"
)

func svc(name string) service.Service { return service.Service{Name: name} }

func open(t *testing.T, b *bus, c clock.Clock) *systemd.Manager {
	m := systemd.New(systemd.Config{Clock: c, Dial: b.dial, Bus: b.connect})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestConforms(t *testing.T) {
	servicetest.Conform(t, func(t *testing.T) servicetest.Subject {
		// systemd tells start times in whole microseconds.
		c := clocktest.New()
		b := newBus(t, c, "good", "other", "bad")
		b.Behave(func(name string) servicetest.Behaviour {
			return servicetest.Behaviour{Exits: name == "bad", Status: 3}
		})
		m := open(t, b, c)
		return servicetest.Subject{
			Manager: m, Clock: c, Good: svc("good"), Other: svc("other"), Bad: svc("bad"), Unknown: svc("nosuch"),
			Kill: func(_ *testing.T, pid int) {
				for name, p := range b.PIDs() {
					if p == pid {
						b.Die(name)
					}
				}
			},
			Again: func(t *testing.T) service.Manager {
				require.NoError(t, m.Close())
				return open(t, b, c)
			},
		}
	})
}

func TestAJobThatDoesNotSucceedSaysWhy(t *testing.T) {
	for result, want := range map[string]error{
		"failed": service.ErrFailed, "canceled": service.ErrCanceled, "dependency": service.ErrFailed,
		"skipped": service.ErrFailed, "timeout": service.ErrTimeout, "a word of tomorrow": service.ErrFailed,
	} {
		t.Run(result, func(t *testing.T) {
			b := newBus(t, clock.System(), "api")
			b.set(func() { b.job = func(string, string) (string, bool) { return result, true } })
			b.Set("api", func(st *service.Status) {
				st.Active, st.Result, st.ExitStatus = service.Broken, "exit-code", 203
			})
			err := open(t, b, clock.System()).Start(t.Context(), svc("api"))
			require.ErrorIs(t, err, want)
			for _, part := range []string{"start api.service", result, "the unit is failed, exit status 203/EXEC (its program cannot be executed)"} {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestAStopThatWasSkippedIsAStop(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	b.set(func() { b.job = func(string, string) (string, bool) { return "skipped", true } })
	require.NoError(t, open(t, b, clock.System()).Stop(t.Context(), svc("api")))
}

func TestWhatSystemdRefuses(t *testing.T) {
	for name, want := range map[string]error{
		"org.freedesktop.systemd1.NoSuchUnit":               service.ErrNotFound,
		"org.freedesktop.systemd1.UnitMasked":               service.ErrUnusable,
		"org.freedesktop.DBus.Error.AccessDenied":           service.ErrFailed,
		"org.freedesktop.DBus.Error.ServiceUnknown":         service.ErrUnavailable,
		"org.freedesktop.DBus.Error.NoReply":                service.ErrUnavailable,
		"org.freedesktop.systemd1.TransactionIsDestructive": service.ErrFailed,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t, clock.System(), "api")
			b.set(func() { b.refuse = dbus.NewError(name, []any{"in systemd's own words"}) })
			err := open(t, b, clock.System()).Restart(t.Context(), svc("api"))
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, "restart api.service")
			require.ErrorContains(t, err, "in systemd's own words")
		})
	}
}

func TestTheEndOfAJobIsFoundWithoutItsSignal(t *testing.T) {
	for _, c := range []struct {
		name  string
		op    func(m *systemd.Manager, ctx context.Context, s service.Service) error
		end   string // the job's result, of which no signal comes
		after func(st *service.Status)
		fails bool
	}{
		{"start, done", (*systemd.Manager).Start, "done", nil, false},
		{"start, failed", (*systemd.Manager).Start, "failed", func(st *service.Status) { st.Active, st.Result = service.Broken, "exit-code" }, true},
		{"start, cancelled", (*systemd.Manager).Start, "canceled", nil, true},
		{"restart, done", (*systemd.Manager).Restart, "done", nil, false},
		{"restart, cancelled", (*systemd.Manager).Restart, "canceled", func(st *service.Status) { st.Active, st.MainPID = service.Running, 7 }, true},
		{"stop, done", (*systemd.Manager).Stop, "done", nil, false},
		{"stop, cancelled", (*systemd.Manager).Stop, "canceled", func(st *service.Status) { st.Active, st.MainPID = service.Running, 7 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBus(t, clock.System(), "api")
			b.set(func() { b.job = func(string, string) (string, bool) { return c.end, false } })
			if c.after != nil {
				b.Set("api", c.after)
			}
			err := c.op(open(t, b, clock.System()), t.Context(), svc("api"))
			if c.fails {
				require.ErrorIs(t, err, service.ErrFailed)
				return
			}
			require.NoError(t, err)
		})
	}
}

// neverEnding is a start on a fake clock whose job does not end by itself.
func neverEnding(t *testing.T, ctx context.Context) (b *bus, c *clocktest.Fake, m *systemd.Manager, started chan error) {
	c = clocktest.New()
	b = newBus(t, c, "api")
	b.set(func() { b.job = func(string, string) (string, bool) { return "", false } })
	m = open(t, b, c)
	started = make(chan error, 1)
	go func() { started <- m.Start(ctx, service.Service{Name: "api", StopTimeout: 10 * time.Second}) }()
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.pending) == 1
	}, 10*time.Second, time.Millisecond)
	return b, c, m, started
}

func TestACallerNeedNotWait(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	b, _, m, started := neverEnding(t, ctx)
	cancel(cause)
	require.ErrorIs(t, <-started, cause)
	// Nobody waits for the late signal, and it does not block the next job.
	b.finish("api.service", "done", true)
	b.set(func() { b.job = func(string, string) (string, bool) { return "done", true } })
	require.NoError(t, m.Start(t.Context(), svc("api")))
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	_, _, m, started := neverEnding(t, t.Context())
	require.NoError(t, m.Close())
	require.ErrorIs(t, <-started, service.ErrUnavailable)
	_, err := m.Status(t.Context(), svc("api"))
	require.ErrorIs(t, err, service.ErrUnavailable)
}

func TestTheBusMayDieAndComeBack(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	m := open(t, b, clock.System())
	require.NoError(t, m.Start(t.Context(), svc("api")))
	b.down()
	_, err := m.Status(t.Context(), svc("api"))
	require.ErrorIs(t, err, service.ErrUnavailable)
	require.ErrorIs(t, m.Restart(t.Context(), svc("api")), service.ErrUnavailable)
	_, err = m.Stopping(t.Context())
	require.ErrorIs(t, err, service.ErrUnavailable)
	b.up()
	st, err := m.Status(t.Context(), svc("api"))
	require.NoError(t, err)
	require.Equal(t, service.Running, st.Active)
	require.NoError(t, m.Restart(t.Context(), svc("api")))
}

func TestAJobSurvivesTheBusThatAnnouncesIt(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	inJob, goOn := make(chan struct{}), make(chan struct{})
	b.set(func() { b.job = func(string, string) (string, bool) { return "", false } })
	m := open(t, b, clock.System())
	go func() {
		defer close(goOn)
		<-inJob
		b.down()
		require.NoError(t, b.Start(context.Background(), svc("api")))
		b.set(func() { b.pending = map[string]uint32{} })
		b.up()
	}()
	go func() {
		// A manager that polls the unit has been told that there is a job.
		for polls := 0; polls == 0; time.Sleep(time.Millisecond) {
			b.set(func() { polls = b.polls })
		}
		close(inJob)
	}()
	require.NoError(t, m.Start(t.Context(), svc("api")))
	<-goOn
}

func TestEveryStartForgivesEarlierFailures(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	m := open(t, b, clock.System())
	require.NoError(t, m.Start(t.Context(), svc("api")))
	require.NoError(t, m.Restart(t.Context(), service.Service{Name: "x", Unit: "api"}))
	require.NoError(t, m.Stop(t.Context(), svc("api")))
	b.set(func() { require.Equal(t, []string{"api.service", "api.service"}, b.resets) })
}

func TestWhatStatusSaysOfUnitsThatCannotRun(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	m := open(t, b, clock.System())
	b.set(func() { b.extra["LoadState"] = "masked" })
	st, err := m.Status(t.Context(), svc("api"))
	require.NoError(t, err)
	require.True(t, st.Loaded)
	require.Equal(t, "masked", st.Result)
	b.set(func() {
		b.extra["LoadState"], b.extra["ExecMainCode"], b.extra["ExecMainStatus"] = "loaded", int32(3), int32(11)
	})
	st, err = m.Status(t.Context(), svc("api"))
	require.NoError(t, err)
	require.Equal(t, 128+11, st.ExitStatus, "dumped core on SIGSEGV")
}

func TestAShutdownIsSeen(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	m := open(t, b, clock.System())
	b.ShutDown(true)
	stopping, err := m.Stopping(t.Context())
	require.NoError(t, err)
	require.True(t, stopping)
}

// A process that waits in the kernel does not end even by SIGKILL. The error says so.
func TestAStopThatNothingHelps(t *testing.T) {
	c := clocktest.New()
	b := newBus(t, c, "api")
	b.Set("api", func(st *service.Status) { st.Active, st.MainPID = service.Deactivating, 77 })
	b.set(func() { b.job = func(string, string) (string, bool) { return "", false } })
	m := open(t, b, c)
	stopped := make(chan error, 1)
	go func() { stopped <- m.Stop(t.Context(), service.Service{Name: "api", StopTimeout: 10 * time.Second}) }()
	for {
		select {
		case err := <-stopped:
			require.ErrorIs(t, err, service.ErrTimeout)
			for _, part := range []string{"cannot stop api.service", "main process 77", "though they were killed", "dmesg"} {
				require.ErrorContains(t, err, part)
			}
			b.set(func() { require.Positive(t, b.kills) })
			return
		case <-time.After(time.Millisecond):
			c.Advance(100 * time.Millisecond)
		}
	}
}

// A stop that somebody else's start has overtaken succeeds only if nothing runs.
func TestAStopThatIsOvertaken(t *testing.T) {
	b := newBus(t, clock.System(), "api")
	b.set(func() { b.job = func(string, string) (string, bool) { return "canceled", true } })
	m := open(t, b, clock.System())
	require.NoError(t, m.Stop(t.Context(), svc("api")))
	b.Set("api", func(st *service.Status) { st.Active, st.MainPID = service.Running, 7 })
	require.ErrorIs(t, m.Stop(t.Context(), svc("api")), service.ErrFailed)
}

// When a bus lives but has lost systemd, the manager tries another way to systemd.
func TestABusThatHasLostSystemd(t *testing.T) {
	lost, b := newBus(t, clock.System(), "api"), newBus(t, clock.System(), "api")
	ways := []func(context.Context) (*sd.Conn, error){lost.dial, b.dial}
	m := systemd.New(systemd.Config{Bus: b.connect, Dial: func(ctx context.Context) (*sd.Conn, error) {
		next := ways[0]
		ways = ways[1:]
		return next(ctx)
	}})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	require.NoError(t, m.Start(t.Context(), svc("api")))
	_, err := lost.conn.ReleaseName("org.freedesktop.systemd1")
	require.NoError(t, err)
	require.NoError(t, m.Start(t.Context(), svc("api")))
	require.Contains(t, b.PIDs(), "api")
}
