//go:build linux && amd64

package device_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/device"
	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
)

func TestMain(m *testing.M) {
	trace.Stub()
	device.InitMain()
	device.ServiceMain()
	os.Exit(m.Run())
}

// laboratory has the real updater, built from this source.
func laboratory(t *testing.T) *device.Lab {
	t.Helper()
	roottest.Need(t, "a machine of its own")
	lab, err := device.Open(t.TempDir(), builttest.Updater(t, builttest.Version))
	require.NoError(t, err)
	return lab
}

// Undisturbed, each flow ends as it says. All sweeps rely on two more facts: a device
// can be put back to the beginning, and the judge can tell one end from another.
func TestFlows(t *testing.T) {
	lab := laboratory(t)
	ctx := context.Background()
	for _, f := range device.Flows() {
		t.Run(f.Name, func(t *testing.T) {
			benches, err := lab.New(ctx, f, 1)
			require.NoError(t, err)
			b := benches[0]

			require.NoError(t, b.Reset(""))
			var said []byte
			calls := 0
			s, err := b.Act(ctx, sweep.Watch{Handler: func(c *trace.Call) trace.Verdict {
				if c.Said {
					said = append(said, c.Data...)
				} else {
					calls++
				}
				return trace.Verdict{}
			}})
			require.NoError(t, err)
			require.Equal(t, f.Ends[0].State == "Committed", b.Promises(said), string(said))
			require.Greater(t, calls, 50)
			end, err := b.Judge(ctx, s, sweep.Next)
			require.NoError(t, err)
			require.Equal(t, f.Ends[0].String(), end)

			// A device on which nothing happened must not pass for a success.
			require.NoError(t, b.Reset(""))
			_, err = b.Judge(ctx, sweep.Story{Cut: true, Promised: true}, sweep.Finish)
			require.Error(t, err)
			// A device whose new version has lost a file must not pass either.
			require.NoError(t, b.Reset(""))
			_, err = b.Act(ctx, sweep.Watch{})
			require.NoError(t, err)
			damaged, err := filepath.Glob(filepath.Join(b.Root(), "opt/tope/versions/v*/bin/web-server"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(damaged[0], nil, 0o555))
			_, err = b.Judge(ctx, sweep.Story{Cut: true}, sweep.Quick)
			require.ErrorContains(t, err, "is not whole")
		})
	}
}

// The native flows are worth their time only if bundles are fetched in the ways
// that give the flows their names.
func TestWaysOfFetching(t *testing.T) {
	lab := laboratory(t)
	ctx := context.Background()
	for name, want := range map[string]steps.Wire{
		"signed":  {Local: 1, Patched: 5, Alone: 1},
		"damaged": {Patched: 4, Alone: 3, Lacking: 2},
		"solid":   {Solid: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := device.FlowNamed(name)
			require.True(t, ok)
			benches, err := lab.New(ctx, f, 1)
			require.NoError(t, err)
			require.NoError(t, benches[0].Reset(""))
			_, err = benches[0].Act(ctx, sweep.Watch{})
			require.NoError(t, err)

			r, err := journal.OpenReader(filepath.Join(benches[0].Root(), "var/lib/tope-updater/journal.db"), journal.Options{})
			require.NoError(t, err)
			defer r.Close()
			facts, err := steps.ReadFacts(r.State().Last.Found)
			require.NoError(t, err)
			last := facts.Download.Wire
			require.Equal(t, "00000000000001AB (publisher.pub)", last.SignedBy)
			got := steps.Wire{Local: last.Local, Patched: last.Patched, Alone: last.Alone, Solid: last.Solid, Lacking: last.Lacking}
			require.Equal(t, want, got)
		})
	}
}

func TestACutAndALoss(t *testing.T) {
	lab := laboratory(t)
	ctx := context.Background()
	f, ok := device.FlowNamed("install")
	require.True(t, ok)
	benches, err := lab.New(ctx, f, 2)
	require.NoError(t, err)
	opt := sweep.Options{Flow: f.Name, Seed: 1, Keep: t.TempDir(), Sample: 4, FinishEvery: 1, NextEvery: 2}
	r, err := sweep.Kill(ctx, benches, opt, false)
	require.NoError(t, err)
	require.Empty(t, r.Violations, r.String())
	require.Equal(t, 4, r.Points)

	opt.At = "fsync versions #1"
	opt.Sample = 0
	r, err = sweep.Lose(ctx, benches, opt)
	require.NoError(t, err)
	require.Empty(t, r.Violations, r.String())
	require.Positive(t, r.Points)
}
