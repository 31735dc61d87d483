package systemd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

// How units depend on each other, on a real systemd.
func TestASurveyOfRealUnits(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{
		// The services.
		"web-server.service": "[Unit]\nRequires=device-api.service\nAfter=device-api.service\n" + runs + "[Install]\nAlias=www.service\n",
		"device-api.service": runs,
		"lazy.service":       runs,
		"extra.service":      "[Unit]\nWants=www.service\n" + runs,
		// The units that start the services.
		"lazy.socket":    "[Socket]\nListenStream=/run/lazy\n",
		"idle.socket":    "[Socket]\nListenStream=/run/idle\nService=lazy.service\n",
		"report.timer":   "[Timer]\nOnActiveSec=1h\n",
		"report.service": "[Unit]\nRequires=device-api.service\n[Service]\nType=oneshot\nExecStart=true\n",
		// The units that stop with the services.
		"kiosk.service":  "[Unit]\nBindsTo=web-server.service\nAfter=web-server.service\n" + runs,
		"screen.service": "[Unit]\nPartOf=kiosk.service\nAfter=kiosk.service\n" + runs,
		"off.service":    "[Unit]\nRequires=device-api.service\n" + runs,
		"tope.target":    "[Unit]\nRequires=device-api.service\nWants=off.service\n",
		"alone.service":  "[Unit]\nWants=device-api.service\n" + runs,
	})
	d.MustRun("systemctl", "enable", "web-server.service")
	d.MustRun("systemctl", "start", "web-server", "extra", "lazy.socket", "report.timer", "kiosk", "screen", "alone")
	d.MustRun("systemctl", "--job-mode=ignore-dependencies", "start", "tope.target")
	services := []service.Service{svc("extra"), svc("web-server"), svc("lazy"), svc("device-api")}
	got, err := d.Survey(t.Context(), services)
	require.NoError(t, err)
	require.Equal(t, service.Survey{
		Orderings: []service.Ordering{
			{Name: "extra", After: "web-server", Weak: true},
			{Name: "web-server", After: "device-api"},
		},
		Triggers:   []string{"lazy.socket", "report.timer"},
		Dependents: []string{"kiosk.service", "screen.service", "tope.target"},
		Idle:       []string{"lazy"},
	}, got)
	ordered, over, err := got.Order(services)
	require.NoError(t, err)
	require.Empty(t, over)
	require.Equal(t, []service.Service{services[3], services[1], services[0], services[2]}[0].Name, ordered[0].Name)
	require.Equal(t, "web-server", ordered[1].Name)

	// systemd stops these units when the first of the services is stopped.
	require.NoError(t, d.Stop(t.Context(), svc("device-api")))
	for _, unit := range append(got.Dependents, "web-server.service") {
		require.Equal(t, "inactive", d.active(unit), unit)
	}
	require.Equal(t, "active", d.active("alone.service"))

	// A target is started alone: the units that it would pull in stay as they were.
	require.NoError(t, d.Manager.Start(t.Context(), svc("device-api")))
	require.NoError(t, d.Manager.Start(t.Context(), service.Unit("tope.target")))
	require.Equal(t, "active", d.active("tope.target"))
	require.Equal(t, "inactive", d.active("off.service"))

	// A service that its socket has started is no longer idle.
	require.NoError(t, d.Manager.Start(t.Context(), svc("lazy")))
	got, err = d.Survey(t.Context(), services)
	require.NoError(t, err)
	require.Empty(t, got.Idle)
	require.Contains(t, got.Triggers, "lazy.socket")
	require.NotContains(t, got.Triggers, "idle.socket")
}

// Units in a cycle: systemd loads them, and so do we.
func TestACircleOfUnitsIsOpened(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{
		"one.service":   "[Unit]\nAfter=two.service\n" + runs,
		"two.service":   "[Unit]\nAfter=three.service\n" + runs,
		"three.service": "[Unit]\nAfter=one.service\n" + runs,
	})
	services := []service.Service{svc("one"), svc("two"), svc("three")}
	got, err := d.Survey(t.Context(), services)
	require.NoError(t, err)
	_, over, err := got.Order(services)
	require.NoError(t, err)
	require.Equal(t, []service.Ordering{{Name: "two", After: "three"}}, over)
	for _, s := range services {
		require.NoError(t, d.Restart(t.Context(), s))
	}
}

// When the stop of a service would stop the updater, Survey fails before the stop.
func TestTheUpdaterDoesNotStopItself(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{"api.service": runs, "web.service": runs})
	d.MustRun("systemctl", "start", "api", "web")
	ask := func(name string) string {
		out, err := d.Run("systemd-run", "--quiet", "--wait", "--pipe", "--unit=updater-"+name, "-p", "BindsTo=api.service", "-p", "After=api.service",
			relayPath, relayArg, "survey "+name)
		require.NoError(t, err, out)
		return out
	}
	require.Contains(t, ask("web"), "[] <nil>")
	said := ask("api")
	require.Contains(t, said, "would stop the updater itself")
	require.Contains(t, said, "remove from updater-api.service what binds it to them")
}
