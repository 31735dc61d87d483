package download

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/supply"
)

// nothing is installed.
type nothing struct{}

func (nothing) Path(string) string                          { return "/nonexistent" }
func (nothing) Manifest(string) (*versions.Manifest, error) { return nil, versions.ErrNotFound }

// slice answers a request for a range, up to byte most of the file; it returns false
// when it had to stop there.
func (k talk) slice(b []byte, most int) bool {
	from, to := 0, len(b)-1
	// "bytes=1-" leaves to as it is.
	_, _ = fmt.Sscanf(k.req.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	to = min(to, len(b)-1)
	k.printf("HTTP/1.1 206 Partial\r\nContent-Range: bytes %d-%d/%d\r\nETag: %s\r\nContent-Length: %d\r\n\r\n", from, to, len(b), tag, to+1-from)
	k.body(b[from:max(from, min(to+1, most))])
	return to < most
}

// TestTricklingBundles: a server that goes quiet within the head, or within a
// piece, is given up after the limit of the clock and asked again.
func TestTricklingBundles(t *testing.T) {
	b := nativetest.New(t).Make(t, nativetest.Edit{})
	for name, most := range map[string]int{"in the head": 100, "behind the head": 3000, "in a piece": 9000} {
		t.Run(name, func(t *testing.T) {
			var hung atomic.Bool
			s := serve(t, func(k talk) {
				if hung.Load() {
					k.slice(b, len(b))
					return
				}
				if !k.slice(b, most) {
					hung.Store(true)
					k.hang()
				}
			})
			task := newTask(t, func(task *steps.Task) {
				task.Source = steps.Source{URL: source.New(strings.Replace(s.url(), "r.zip", "r.tope", 1))}
			})
			s.meter.Store(task.Meter)
			step := stepFor(s.clk, func(c *Config) {
				c.Partial = &supply.Planner{
					Judge:    &supply.Judge{Verify: func(_, _ []byte) (string, error) { return "", nil }, Clock: s.clk},
					Versions: nothing{},
					Room:     func(context.Context, *steps.Task, uint64, uint64) ([]string, error) { return nil, nil },
				}
			})
			out, err := do(t, step, task)
			require.NoError(t, err)
			ev := out.Evidence.(Evidence)
			// Which limit ends the wait depends on whether the answer's first line came before.
			require.NotEmpty(t, kinds(ev))
			require.Subset(t, []string{noAnswer, wentQuiet}, kinds(ev))
			require.Len(t, s.clk.slept(), ev.Retries)
			require.Positive(t, ev.Retries)
			require.Equal(t, int64(len(b)), ev.Size)
		})
	}
}
