package turnback_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/tope/updater/platform/health"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/systemd"
	"github.com/tope/updater/platform/service/systemdtest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/switchover"
	"github.com/tope/updater/steps/turnback"
)

// product is the three steps on a machine with a real systemd. Its method steps makes
// them anew, as a restarted daemon does.
type product struct {
	m       *systemdtest.Machine
	manager *systemd.Manager
	store   *stepstest.Device
	list    []service.Service
}

func (p *product) bus(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.Dial(fmt.Sprintf("unix:path=/proc/%d/root/run/dbus/system_bus_socket", p.m.Leader()), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, err
	}
	return conn, conn.Hello()
}

func (p *product) steps() (flip, all steps.Step) {
	hold := service.NewHold(p.manager, slog.New(slog.DiscardHandler))
	flip = switchover.New(switchover.Config{Manager: p.manager, Services: p.list, Versions: p.store, Clock: clock.System(), Hold: hold})
	start := restart.New(restart.Config{Manager: p.manager, Services: p.list, Clock: clock.System(), Hold: hold})
	gate := healthcheck.New(healthcheck.Config{
		Manager: p.manager, Services: p.list, Clock: clock.System(),
		Checks: []health.Check{
			{Service: "device-api", Kind: health.Active, Stable: clock.Duration(200 * time.Millisecond), Timeout: clock.Duration(10 * time.Second)},
			{Service: "web-server", Kind: health.Active, Stable: clock.Duration(200 * time.Millisecond), Timeout: clock.Duration(10 * time.Second)},
			{Service: "lazy", Kind: health.Active, Stable: clock.Duration(200 * time.Millisecond), Timeout: clock.Duration(10 * time.Second)},
		},
	})
	return flip, turnback.New(flip, start, gate)
}

func (p *product) states(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, unit := range []string{
		"device-api.service", "web-server.service", "lazy.service", "lazy.socket", "poll.timer", "kiosk.service", "off.service",
	} {
		got[unit] = p.m.Property(unit, "ActiveState")
	}
	return got
}

const runs = "[Service]\nExecStart=sleep infinity\n"

// On a real systemd: every unit that ran beside the services runs again after a switch
// and after its rollback, also when the updater dies with everything stopped. No unit
// activates a service in between. A unit that did not run before does not run after.
func TestSocketsTimersAndDependentsAreBroughtBack(t *testing.T) {
	m := systemdtest.New(t)
	for name, text := range map[string]string{
		"device-api.service": runs,
		"web-server.service": "[Unit]\nRequires=device-api.service\nAfter=device-api.service\n" + runs,
		"lazy.service":       runs,
		"lazy.socket":        "[Socket]\nListenStream=/run/lazy\n",
		"poll.timer":         "[Timer]\nOnActiveSec=10ms\nOnUnitInactiveSec=10ms\nAccuracySec=1ms\n",
		"poll.service":       "[Unit]\nRequires=device-api.service\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=true\n",
		"kiosk.service":      "[Unit]\nBindsTo=web-server.service\nAfter=web-server.service\n" + runs,
		"off.service":        "[Unit]\nPartOf=web-server.service\n" + runs,
	} {
		m.Write("/etc/systemd/system/"+name, text, 0o644)
	}
	m.Boot()
	m.MustRun("systemctl", "start", "web-server", "lazy.socket", "kiosk", "poll.timer")
	p := &product{m: m, store: stepstest.NewDevice(t, ""), list: []service.Service{{Name: "web-server"}, {Name: "lazy"}, {Name: "device-api"}}}
	p.manager = systemd.New(systemd.Config{Bus: p.bus, Dial: func(ctx context.Context) (*sd.Conn, error) {
		return sd.NewConnection(func() (*dbus.Conn, error) { return p.bus(ctx) })
	}})
	t.Cleanup(func() { require.NoError(t, p.manager.Close()) })
	for _, v := range []string{"1.0.0", "1.1.0"} {
		stepstest.Publish(t, p.store.Store, v, map[string]string{"bin/x": v}, versions.Brought{})
	}
	require.NoError(t, p.store.Point(versions.Current, "1.0.0"))
	before := p.states(t)
	require.Equal(t, map[string]string{
		"device-api.service": "active", "web-server.service": "active", "lazy.service": "inactive", "lazy.socket": "active",
		"poll.timer": "active", "kiosk.service": "active", "off.service": "inactive",
	}, before)
	now := func() steps.Moment {
		return steps.Moment{Boot: clock.System().Boot(), Mono: clock.System().Monotonic()}
	}

	task := stepstest.Task(t, func(task *steps.Task) {
		task.Target = versions.Pointers{Current: "1.1.0", Previous: "1.0.0"}
	})
	flip, _ := p.steps()
	out, err := flip.Do(t.Context(), task)
	require.NoError(t, err)
	ev := out.Evidence.(switchover.Evidence)
	require.Equal(t, []string{"lazy", "web-server", "device-api"}, ev.Stopped, "web-server stops first: systemd says so, no configuration does")
	require.Equal(t, []string{"lazy.socket", "poll.timer"}, ev.Companions.Triggers)
	require.Equal(t, []string{"kiosk.service"}, ev.Companions.Dependents)
	for unit, state := range p.states(t) {
		require.Equal(t, "inactive", state, unit)
	}

	// The updater dies here. The next one knows only the notes.
	task = stepstest.Again(task)
	task.Since = now()
	_, all := p.steps()
	_, err = all.Do(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, before, p.states(t))

	task = stepstest.Again(task)
	task.Target, task.Back, task.Attempt, task.Since = versions.Pointers{Current: "1.0.0"}, true, 1, now()
	_, all = p.steps()
	out, err = all.Do(t.Context(), task)
	require.NoError(t, err)
	require.Len(t, out.Evidence, 3)
	require.Equal(t, before, p.states(t))
	at, err := p.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", at.Current)
}
