package download

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/supply"
)

// nothing is installed.
type nothing struct{}

func (nothing) Path(string) string                          { return "/nonexistent" }
func (nothing) Manifest(string) (*versions.Manifest, error) { return nil, versions.ErrNotFound }

// TestTricklingBundles: a server that goes quiet within the head, or within a
// piece, is given up after the limit of the clock and asked again.
func TestTricklingBundles(t *testing.T) {
	b := nativetest.New(t).Make(t, nativetest.Edit{})
	for name, most := range map[string]int{"in the head": 100, "behind the head": 3000, "in a piece": 9000} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, first(func(k talk) { k.file(b, tag, most); k.hang() }, func(k talk) { k.file(b, tag, -1) }))
			task := newTask(t, func(task *steps.Task) { task.Source = steps.Source{URL: s.url()} })
			s.meter.Store(task.Meter)
			step := stepFor(s.clk, func(c *Config) {
				c.Partial = &supply.Planner{
					Device:   &supply.Device{Verify: func(_, _ []byte) (string, error) { return "", nil }, Clock: s.clk},
					Versions: nothing{},
					Room:     func(context.Context, *steps.Task, uint64, uint64) ([]string, error) { return nil, nil },
				}
			})
			out, err := do(t, step, task)
			require.NoError(t, err)
			ev := out.Evidence.(Evidence)
			require.Contains(t, kinds(ev), wentQuiet)
			require.Len(t, s.clk.slept(), ev.Retries)
			require.Positive(t, ev.Retries)
			require.Equal(t, int64(len(b)), ev.Size)
		})
	}
}
