package doctor

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
)

// The kernel here may be a new one, so the test asks the comparison itself.
func TestKernelsAreComparedByNumber(t *testing.T) {
	for release, want := range map[string][2]int{
		"6.1.0-18-arm64": {6, 1}, "5.10.110-rockchip": {5, 10}, "6.18.44-x": {6, 18}, "6.2-rc1": {6, 2},
	} {
		v, ok := kernelVersion(release)
		require.True(t, ok, release)
		require.Equal(t, want, v, release)
	}
	_, ok := kernelVersion("unknown")
	require.False(t, ok)
}

// findings are the results of a check on a device with the service api and this manager.
func findings(t *testing.T, m service.Manager, check func(*checkup)) []Finding {
	t.Helper()
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	cfg := config.Default()
	cfg.Service = []config.Service{{Name: "api", Unit: "api.service"}}
	c := &checkup{Device: Device{Config: cfg, Root: root, Clock: clocktest.New()}, seen: seen{manager: m}}
	check(c)
	return c.findings
}

func TestUnitsAreEnabledAndInOrder(t *testing.T) {
	good := service.UnitFacts{Load: "loaded", Active: "active", File: "enabled", After: []string{recoverUnit}}
	with := func(edit func(*service.UnitFacts)) service.UnitFacts {
		f := good
		edit(&f)
		return f
	}
	type units = map[string]service.UnitFacts
	for _, c := range []struct {
		name  string
		units units
		level Level
		text  string
	}{
		{"recovery is not installed", units{recoverUnit: {Load: "not-found"}}, Warn, recoverUnit + " is not-found"},
		{"recovery does not run at boot", units{recoverUnit: with(func(f *service.UnitFacts) { f.File = "disabled" })}, Warn, "does not run at boot"},
		{"recovery has failed", units{recoverUnit: with(func(f *service.UnitFacts) { f.Active = "failed" })}, Warn, "has failed at this boot"},
		{"the daemon is off", units{daemonUnit: with(func(f *service.UnitFacts) { f.Active = "inactive" })}, Fail, daemonUnit + " is inactive"},
		{"the daemon is given up", units{daemonUnit: with(func(f *service.UnitFacts) { f.Active = "failed" })}, Fail, daemonUnit + " has failed"},
		{"the daemon does not wait", units{daemonUnit: with(func(f *service.UnitFacts) { f.After = nil })}, Warn, "does not wait for " + recoverUnit},
		{"no rescue", units{rescueUnit: {Load: "not-found"}}, Warn, "nothing rescues a daemon"},
		{"a masked service", units{"api.service": with(func(f *service.UnitFacts) { f.Load = "masked" })}, Fail, "cannot be started"},
		{"a service that requires recovery", units{"api.service": with(func(f *service.UnitFacts) { f.Requires = []string{recoverUnit} })}, Warn, "requires " + recoverUnit},
		{"a service that does not wait", units{"api.service": with(func(f *service.UnitFacts) { f.After = nil })}, Warn, "api: api.service does not wait"},
		{"a disabled service", units{"api.service": with(func(f *service.UnitFacts) { f.File = "disabled" })}, Warn, "not started at boot"},
		{"a stale unit", units{"api.service": with(func(f *service.UnitFacts) { f.Stale = true })}, Warn, "has changed since systemd read it"},
		{"all is well", nil, Pass, "api.service is enabled, active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &servicetest.UnitFake{Fake: servicetest.NewFake(clocktest.New()), Number: 252, Units: units{
				recoverUnit: good, daemonUnit: good, rescueUnit: good, "api.service": good,
			}}
			for name, f := range c.units {
				m.Units[name] = f
			}
			found := findings(t, m, func(d *checkup) { d.unitsOf(t.Context(), m) })
			said := false
			for _, f := range found {
				said = said || f.Level == c.level && strings.Contains(f.Text, c.text)
				require.True(t, f.Level == Pass || f.Do != "", "nothing is said of what to do about %q", f.Text)
			}
			require.True(t, said, "no %s says %q: %+v", c.level, c.text, found)
		})
	}
	old := &servicetest.UnitFake{Fake: servicetest.NewFake(clocktest.New()), Number: 215}
	require.Contains(t, findings(t, old, func(d *checkup) { d.unitsOf(t.Context(), old) })[0].Text, "is too old")
	old.Unreachable(true)
	require.Contains(t, findings(t, old, func(d *checkup) { d.unitsOf(t.Context(), old) })[0].Text, "not checked")
}

func TestServicesAreAskedAbout(t *testing.T) {
	m := &servicetest.UnitFake{Fake: servicetest.NewFake(clocktest.New(), "api"), Dirs: []string{"/etc/units"}}
	says := func(change func(*service.Status)) Finding {
		m.Set("api", change)
		return findings(t, m, func(c *checkup) { c.servicesOf(t.Context()) })[0]
	}
	f := says(func(*service.Status) {})
	require.Equal(t, Fail, f.Level)
	require.Contains(t, f.Text, "api is inactive")
	require.Contains(t, f.Do, "log of api.service")
	f = says(func(s *service.Status) { s.Active, s.MainPID = service.Running, 7 })
	require.Equal(t, Finding{Level: Pass, Text: "api runs, process 7"}, f)
	f = says(func(s *service.Status) { s.Active = service.Reloading })
	require.Equal(t, Pass, f.Level, "the gate takes a service that reloads for one that runs, and so does the doctor")
	f = says(func(s *service.Status) { s.Restarts = 2 })
	require.Equal(t, Warn, f.Level)
	f = says(func(s *service.Status) { s.Loaded = false })
	require.Contains(t, f.Text, "knows no unit api.service")
	m.Unreachable(true)
	require.Contains(t, findings(t, m, func(c *checkup) { c.servicesOf(t.Context()) })[0].Do, "start the service manager")
}

// Before the first version there is nothing that a service could run: the next update
// can succeed, so nothing fails.
func TestServicesOfADeviceWithoutAVersion(t *testing.T) {
	m := servicetest.NewFake(clocktest.New(), "api")
	fresh := func(installed ...versions.Info) Finding {
		return findings(t, m, func(c *checkup) {
			store, err := versions.Open(versions.Config{Root: c.Root, Versions: "/opt/tope/versions"})
			require.NoError(t, err)
			c.store, c.versions = store, installed
			c.services(t.Context())
		})[0]
	}
	f := fresh()
	require.Equal(t, Warn, f.Level, "%+v", f)
	require.Contains(t, f.Text, "there is no version yet")
	require.Equal(t, Fail, fresh(versions.Info{Version: "1.0.0"}).Level)
}

// The systemd that answers is the one of this host. What it says of services of the same
// names is not about the tree, and no advice may change the host.
func TestATreeOfAnotherSystemIsNotJudgedByThisOne(t *testing.T) {
	m := &servicetest.UnitFake{Fake: servicetest.NewFake(clocktest.New(), "api")}
	for _, check := range []func(*checkup, context.Context){(*checkup).services, (*checkup).units, (*checkup).api, (*checkup).deviceAPI} {
		f := findings(t, m, func(c *checkup) { check(c, t.Context()) })
		require.Len(t, f, 1)
		require.Equal(t, Pass, f[0].Level, "%+v", f[0])
		require.Contains(t, f[0].Text, "not checked: below --root")
	}
	f := findings(t, m, func(c *checkup) { c.retention(t.Context()) })[0]
	require.Equal(t, Warn, f.Level)
	require.Empty(t, f.Run)
	require.Contains(t, f.Do, "on the device itself: mkdir -p /var/log/journal")
}
