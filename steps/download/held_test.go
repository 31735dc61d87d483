package download

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

const usedUp = "today's data budget of 50 MB is used up, until 00:00"

// budget is a gate that is shut from most bytes on, until it has been asked some times.
type budget struct {
	web   *fetch.Transport
	most  int64
	looks int
}

func (b *budget) gate() error {
	if b.most == 0 || b.web.Count() < b.most {
		return nil
	}
	if b.looks--; b.looks <= 0 {
		b.most = 0 // a new day
		return nil
	}
	return errors.New(usedUp)
}

// A download that the data budget binds waits for the new day, says so, and goes on where
// it was, by Range: not a byte comes twice, and nothing counts as a failure, however long it lasts.
func TestTheBudgetHoldsTheDownload(t *testing.T) {
	b := bundleOf(1<<20, 1)
	h := published(1<<20, [2]int64{2000, 900_000})
	for name, c := range map[string]struct {
		b       []byte
		source  func(url string) func(*steps.Task)
		partial *halved
	}{
		"whole": {b, func(url string) func(*steps.Task) { return from(url+"/r.zip", b) }, nil},
		"parts": {h.b, at, h},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, always(c.b), nil)
			clk := newPatient()
			notes := stepstest.NewNotes()
			task := newTask(t, c.source(p.URL), func(t *steps.Task) { t.Source.Sparing, t.Notes = true, notes })
			web := reach(clk, fetch.Settings{})
			day := &budget{web: web, most: 500_000, looks: 300}
			web.SetGate(day.gate)
			var waits []string
			step := stepFor(clk, whenPaused(clk, task, func(why string) {
				waits = append(waits, why)
				require.Equal(t, "waits: "+usedUp, task.Meter.Pause().String())
				require.Greater(t, saved(t, notes).Offset, int64(300_000), "what has come is kept while it waits")
			}), func(cfg *Config) {
				cfg.Web = web
				if c.partial != nil {
					cfg.Partial = c.partial
				}
			})
			out, err := do(t, step, task)
			require.NoError(t, err)
			require.Greater(t, len(waits), 250)
			ev, ok := out.Evidence.(Evidence)
			require.True(t, ok)
			require.Zero(t, ev.Retries)
			require.Equal(t, []string{heldBack}, kinds(ev))
			require.Equal(t, 1, ev.Events[0].Count)
			require.Nil(t, task.Meter.Pause())
			asked := p.asked()
			require.Greater(t, number(strings.Split(asked[len(asked)-1], "-")[0]), int64(300_000), "it went on by Range")
			require.Less(t, web.Count(), int64(len(c.b)+1))
		})
	}
}

// What the budget does not bind goes on, also when the device has used it up.
func TestALocalRequestIsNotHeld(t *testing.T) {
	b := bundleOf(300_000, 1)
	p := publish(t, always(b), nil)
	clk := newPatient()
	web := reach(clk, fetch.Settings{})
	web.SetGate(func() error { return errors.New(usedUp) })
	task := newTask(t, from(p.URL, b))
	requireBundle(t, task, b, mustDo(t, stepFor(clk, func(c *Config) { c.Web = web }), task))
	require.Empty(t, clk.slept())
}

// A series of failures is neither ended nor lengthened by a wait for the budget.
func TestAHoldIsNoTry(t *testing.T) {
	b := bundleOf(300_000, 1)
	clk := newPatient()
	web := reach(clk, fetch.Settings{})
	looks := 0
	web.SetGate(func() error {
		if looks++; looks%3 == 1 { // open for the next look of the wait, and for the try
			return errors.New(usedUp)
		}
		return nil
	})
	n := 0
	p := publish(t, always(b), func(_ int, w http.ResponseWriter, _ *http.Request) http.ResponseWriter {
		if n++; n <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return mute{w}
		}
		web.SetGate(nil)
		return w
	})
	task := newTask(t, from(p.URL, b), func(t *steps.Task) { t.Source.Sparing = true })
	ev := requireBundle(t, task, b, mustDo(t, stepFor(clk, func(c *Config) { c.Web = web }), task))
	require.Equal(t, 3, ev.Retries)
	require.ElementsMatch(t, []string{heldBack, serverBusy}, kinds(ev))
}

// mute is an answer that has been given already.
type mute struct{ http.ResponseWriter }

func (mute) WriteHeader(int)             {}
func (mute) Write(b []byte) (int, error) { return len(b), nil }
