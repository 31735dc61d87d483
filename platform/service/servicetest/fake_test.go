package servicetest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
)

func svc(name string) service.Service { return service.Service{Name: name} }

func TestFakeConforms(t *testing.T) {
	servicetest.Conform(t, func(*testing.T) servicetest.Subject {
		return subject(func(f *servicetest.Fake) service.Manager { return f })
	})
}

func TestUnitFakeConforms(t *testing.T) {
	servicetest.Conform(t, func(*testing.T) servicetest.Subject {
		return subject(func(f *servicetest.Fake) service.Manager {
			return &servicetest.UnitFake{Fake: f, Dirs: []string{"/etc/units"}, Number: 250}
		})
	})
}

// subject is a fake under test; as turns the fake into the manager.
func subject(as func(*servicetest.Fake) service.Manager) servicetest.Subject {
	c := clocktest.New()
	f := servicetest.NewFake(c, "good", "other", "bad")
	f.Behave(func(name string) servicetest.Behaviour {
		return servicetest.Behaviour{Exits: name == "bad", Status: 3}
	})
	m := as(f)
	return servicetest.Subject{
		Manager: m, Clock: c, Good: svc("good"), Other: svc("other"), Bad: svc("bad"), Unknown: svc("nosuch"), Inside: true,
		Kill: func(t *testing.T, pid int) {
			for name, p := range f.PIDs() {
				if p == pid {
					f.Die(name)
					return
				}
			}
			t.Fatalf("no process %d", pid)
		},
		Again: func(*testing.T) service.Manager { return m },
	}
}

func TestFakeTellsWhatItWasAskedAndRefusesOnDemand(t *testing.T) {
	f := servicetest.NewFake(clocktest.New(), "api")
	require.NoError(t, f.Start(t.Context(), svc("api")))
	f.Hook(func(op, name string) error { return errors.New("no " + op) })
	require.EqualError(t, f.Stop(t.Context(), svc("api")), "stop api: no stop")
	f.Hook(nil)
	f.Behave(func(string) servicetest.Behaviour { return servicetest.Behaviour{Refuses: true, Status: 203} })
	require.ErrorIs(t, f.Restart(t.Context(), svc("api")), service.ErrFailed)
	require.Equal(t, []string{"start api", "stop api", "restart api"}, f.Calls())
	require.Empty(t, f.Calls())
	require.Empty(t, f.PIDs())
	f.Unreachable(true)
	_, err := f.Status(t.Context(), svc("api"))
	require.ErrorIs(t, err, service.ErrUnavailable)
}

func TestFakeBoots(t *testing.T) {
	c := clocktest.New()
	f := servicetest.NewFake(c, "api", "web")
	require.NoError(t, f.Start(t.Context(), svc("api")))
	before := f.PIDs()["api"]
	f.ShutDown(true)
	c.Advance(time.Minute)
	f.Boot()
	after := f.PIDs()
	require.Len(t, after, 2)
	require.NotEqual(t, before, after["api"])
	stopping, err := f.Stopping(t.Context())
	require.NoError(t, err)
	require.False(t, stopping)
}
