package fleet_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/ddi/dditest"
)

// before is a device in the state, carrying out an action.
var before = []struct {
	state engine.State
	// there brings the device into that state.
	there func(r *rig, h *hawkbit)
	// late: it has begun to switch.
	late bool
}{
	{state: engine.Downloading, there: func(*rig, *hawkbit) {}},
	{state: engine.Ready, there: func(r *rig, h *hawkbit) {
		r.MustRun(devicetest.Updater, "fleet", "hold", "--for", "1h", "--why", "a fair")
		h.shutter(false)
		r.waits(fleet.Held)
	}},
	{state: engine.Switching, late: true},
	{state: engine.Restarting, late: true},
	{state: engine.CheckingHealth, late: true},
}

// slow is a device, and a release for it, whose updates take some time in each of their
// later states.
func slow(t *testing.T, h *hawkbit) *rig {
	return enrolled(t, h, devicetest.Options{
		Unit: "TimeoutStopSec=2s", Release: fixtures.Release{DeviceAPI: "stubborn"}, Stable: 1500 * 1e6,
	})
}

// An action that is cancelled before anything of the device is switched is over, and the
// device is as it was. Afterwards it is too late: the server is told so, and of the true end.
func TestACancelInEachState(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := slow(t, h)
	r.on()
	was := "1.0.0"
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
		require.True(t, h.Cancel(action))
		r.check()
		end := r.ends(action)
		state, ends := h.counted(action)
		require.Equal(t, 1, ends, "%s: %+v", c.state, h.Action(action))
		if c.late {
			require.Equal(t, engine.Committed, end.State, c.state)
			require.Equal(t, dditest.Finished, state, c.state)
			require.Contains(t, strings.Join(h.states(action), "\n"), "too late", c.state)
			was = next.Version
		} else {
			require.Equal(t, engine.Cancelled, end.State, c.state)
			require.Equal(t, dditest.Canceled, state, c.state)
		}
		require.Equal(t, 1, r.updates(action))
		require.Equal(t, was, r.Serves(devicetest.DeviceAPI), c.state)
		if c.state == engine.Ready {
			r.MustRun(devicetest.Updater, "fleet", "release")
		}
	}
	r.Whole(was)
}

// Whenever it comes, a cancel is an end of its own or comes too late: device and server
// agree, also when the power goes then.
func TestACancelAtAnyRecord(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{})
	r.on()
	was := "1.0.0"
	seen := map[string]int{}
	for n := range 8 {
		version := "1.1." + strconv.Itoa(n)
		action := h.offer(fixtures.Release{Version: version})
		from := r.Answers().Journal.Seq
		r.check()
		r.after(from + uint64(3*n))
		h.Cancel(action)
		r.check()
		if n%2 == 1 {
			r.cut()
			r.check()
		}
		end := r.ends(action)
		state, ends := h.counted(action)
		require.Equal(t, 1, ends)
		seen[state]++
		switch end.State {
		case engine.Cancelled:
			require.Equal(t, dditest.Canceled, state)
		default:
			require.Equal(t, engine.Committed, end.State)
			require.Equal(t, dditest.Finished, state)
			was = version
		}
		r.Whole(was)
		require.Equal(t, 1, r.updates(action))
	}
	require.NotZero(t, seen[dditest.Canceled], seen)
	require.NotZero(t, seen[dditest.Finished], seen)
}
