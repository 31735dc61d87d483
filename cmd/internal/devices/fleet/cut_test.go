package fleet_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/ddi/dditest"
)

// after waits until the journal has that record, or no update is open any more.
func (r *rig) after(seq uint64) {
	r.t.Helper()
	r.Within(time.Minute, "the update gets on", func() bool {
		st, ok := r.Status()
		return ok && (st.Journal.Seq >= seq || st.Update == nil && !engine.Busy(st.State) && st.Last != nil)
	})
}

// counts demands that an action had one update and one end, at which device and server agree.
func counts(t *testing.T, r *rig, h *hawkbit, action, where string, want engine.State) {
	t.Helper()
	end := r.ends(action)
	require.Equal(t, want, end.State, where)
	state, ends := h.counted(action)
	require.Equal(t, 1, ends, "%s: %+v", where, h.Action(action))
	require.Equal(t, map[engine.State]string{engine.Committed: dditest.Finished, engine.RolledBack: dditest.Failed, engine.Cancelled: dditest.Canceled}[want], state, where)
	require.Equal(t, 1, r.updates(action), where)
}

// The power goes in each state; then the offer is carried out, once, and told.
func TestACutInEachState(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := slow(t, h)
	r.on()
	for i, c := range before {
		next := fixtures.Release{Version: fmt.Sprintf("1.%d.0", i+1), DeviceAPI: "stubborn ready-after=1s"}
		h.shutter(true)
		action := h.offer(next)
		r.check()
		r.In(engine.Downloading)
		if c.there != nil {
			c.there(r, h)
		} else {
			h.shutter(false)
			r.In(c.state)
		}
		r.Kill()
		r.away()
		h.shutter(false)
		r.on()
		r.check()
		if c.state == engine.Ready {
			r.MustRun(devicetest.Updater, "fleet", "release")
		}
		counts(t, r, h, action, string(c.state), engine.Committed)
		r.Whole(next.Version)
	}
}

// The same at any record, of releases that are good and of one that is bad.
func TestACutAtAnyRecord(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{false, true} {
		t.Run(fmt.Sprintf("bad %v", bad), func(t *testing.T) {
			t.Parallel()
			h := serving(t)
			r := enrolled(t, h, devicetest.Options{})
			r.on()
			was := "1.0.0"
			for n := range 8 {
				next := fixtures.Release{Version: fmt.Sprintf("1.1.%d", n)}
				want := engine.Committed
				if bad {
					next.WebServer, want = "unhealthy", engine.RolledBack
				}
				action := h.offer(next)
				from := r.Answers().Journal.Seq
				r.check()
				r.after(from + uint64(3*n+1))
				r.cut()
				r.check()
				counts(t, r, h, action, fmt.Sprintf("cut %d", n), want)
				if !bad {
					was = next.Version
				}
				r.Whole(was)
			}
		})
	}
}

// The server is away for the whole update, and for a boot; then it is told all of it.
func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{})
	r.on()
	for i, bad := range []string{"", "unhealthy"} {
		next := fixtures.Release{Version: fmt.Sprintf("1.%d.0", i+1), WebServer: bad}
		r.MustRun(devicetest.Updater, "fleet", "hold", "--for", "1h", "--why", "a fair")
		action := h.offer(next)
		r.check()
		r.waits(fleet.Held)
		said := h.states(action)
		r.away()
		r.MustRun(devicetest.Updater, "fleet", "release")
		r.Within(time.Minute, "the update is over", func() bool { s := r.fleet(); return len(s.Ends) > 0 && s.Ends[0].Action == action && s.Update == nil })
		owed := r.fleet().Outbox
		require.NotEmpty(t, owed)
		require.True(t, owed[len(owed)-1].End)
		r.Kill()
		r.Up() // without the server
		require.Equal(t, owed, r.fleet().Outbox)
		code, _ := r.Post("fleet/check", map[string]any{})
		require.NotEqual(t, http.StatusOK, code)
		require.NotEmpty(t, r.fleet().Untold)
		require.Equal(t, said, h.states(action))
		r.back()
		r.check()
		want := engine.Committed
		if bad != "" {
			want = engine.RolledBack
		}
		counts(t, r, h, action, "away", want)
		require.Empty(t, r.fleet().Untold)
	}
	r.Whole("1.1.0")
}

// The answer to the end is lost after the server has heard of it, and then the power goes:
// the end is told again, and counts once.
func TestAnAnswerThatIsLost(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{})
	r.on()
	for i, bad := range []string{"", "unhealthy"} {
		r.MustRun(devicetest.Updater, "fleet", "hold", "--for", "1h", "--why", "a fair")
		action := h.offer(fixtures.Release{Version: fmt.Sprintf("1.%d.0", i+1), WebServer: bad})
		r.check()
		r.waits(fleet.Held)
		want, state := engine.Committed, dditest.Finished
		if bad != "" {
			want, state = engine.RolledBack, dditest.Failed
		}
		h.listen(func(body string) bool { return strings.Contains(body, `"closed"`) })
		r.MustRun(devicetest.Updater, "fleet", "release")
		r.Within(time.Minute, "the server has heard of the end", func() bool { return h.Action(action).State == state })
		r.Within(time.Minute, "the device knows that it has not been answered", func() bool { return r.fleet().Untold != "" })
		require.NotEmpty(t, r.fleet().Outbox)
		r.cut()
		h.listen(nil)
		r.check()
		counts(t, r, h, action, "lost", want)
		require.NotContains(t, r.Journal(), "the source will not be told")
	}
	r.Whole("1.1.0")
}
