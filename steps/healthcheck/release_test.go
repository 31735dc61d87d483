package healthcheck_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tope/updater/platform/clock"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

// releases is a bench whose versions 1.0.0 and 1.1.0 bring checks of their own.
func releases(t *testing.T, old, now versions.Brought, edit func(*healthcheck.Config)) *bench {
	t.Helper()
	b := newBench(t)
	d := stepstest.NewDevice(t, "")
	look := map[string]string{"bin/look": "#!/bin/sh\ntest -e $(dirname $0)/look && test \"$1\" = deep\n", "hooks/health": "#!/bin/sh\necho $TOPE_HOOK of $TOPE_TO; test -e /proc/self && test ! -e " + d.Path("sick") + "\n"}
	stepstest.Publish(t, d.Store, "1.0.0", look, old)
	stepstest.Publish(t, d.Store, "1.1.0", look, now)
	cfg := healthcheck.Config{
		Manager: b.manager, Services: []service.Service{{Name: "device-api"}}, Clock: b.clock, Versions: d.Store,
		Resolve: func(device string) (string, error) { return d.Path(device), nil },
	}
	if edit != nil {
		edit(&cfg)
	}
	b.gate = healthcheck.New(cfg)
	b.task.Before = versions.Pointers{Current: "1.0.0"}
	b.task.WorkDir = d.Root
	return b
}

func (b *bench) sicken(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.task.WorkDir, "sick"), nil, 0o600))
}

var healthHook = map[versions.Hook]string{versions.HealthHook: "hooks/health"}

// The checks of the judged version are added to the configured ones.
func TestChecksOfTheRelease(t *testing.T) {
	now := versions.Brought{Hooks: healthHook, Health: []health.Check{
		{Service: "device-api", Kind: "command", Command: []string{"bin/look", "deep"}},
		{Service: "device-api", Kind: "active", Stable: clock.Duration(7 * time.Second)},
		{Service: "nobody-knows-it", Kind: "command", Command: []string{"/bin/in-the-root"}, Timeout: clock.Duration(1 * time.Second)},
	}}
	b := releases(t, versions.Brought{}, now, nil)
	root := filepath.Join(b.task.WorkDir, "bin")
	require.NoError(t, os.MkdirAll(root, 0o755))
	require.Contains(t, stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed), "nobody-knows-it: ")
	require.NoError(t, os.WriteFile(filepath.Join(root, "in-the-root"), []byte("#!/bin/sh\n"), 0o755))
	var all []string
	for _, r := range b.pass(t).Results {
		all = append(all, r.Service+" "+string(r.Kind)+" "+r.Target)
		if r.Service == "device-api" && r.Kind == health.Active && len(all) > 1 {
			require.GreaterOrEqual(t, r.Took, 7*time.Second)
		}
	}
	require.Equal(t, []string{
		"device-api active device-api", "device-api command bin/look deep", "device-api active device-api",
		"nobody-knows-it command /bin/in-the-root", " hook hooks/health",
	}, all)
}

func TestHealthHook(t *testing.T) {
	b := releases(t, versions.Brought{}, versions.Brought{Hooks: healthHook}, nil)
	b.pass(t)
	b.sicken(t)
	text := stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
	require.Contains(t, text, "hook hooks/health: not within 1m0s")
	require.Contains(t, text, "health of 1.1.0", "the text says what the hook said")
	require.Equal(t, "1.1.0", b.task.Target.Current)
}

// On the way back, only those of a version's own checks count that passed before.
func TestReleaseChecksAgainstTheBaseline(t *testing.T) {
	for name, sick := range map[string]bool{"healthy before": false, "sick before": true} {
		t.Run(name, func(t *testing.T) {
			b := releases(t, versions.Brought{Hooks: healthHook}, versions.Brought{}, nil)
			if sick {
				b.sicken(t)
			}
			var err error
			b.task.Baseline, err = b.gate.Baseline(t.Context(), b.task)
			require.NoError(t, err)
			require.Contains(t, string(b.task.Baseline), "hooks/health", "the baseline is the running version's")
			b.sicken(t)
			b.task.Target, b.task.Back = b.task.Before, true
			if !sick {
				stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
				return
			}
			require.False(t, b.pass(t).Results[1].Passed)
		})
	}
}

// With HookOnly the version's checks do not run, but its hook does.
func TestHookOnly(t *testing.T) {
	now := versions.Brought{Hooks: healthHook, Health: []health.Check{{Service: "device-api", Kind: "command", Command: []string{"/no/such"}}}}
	b := releases(t, versions.Brought{}, now, func(c *healthcheck.Config) { c.Services, c.HookOnly = nil, true })
	require.Len(t, b.pass(t).Results, 1)
	b.sicken(t)
	stepstest.Fails(t, b.gate, b.task, steps.Unhealthy, steps.HealthFailed)
}
