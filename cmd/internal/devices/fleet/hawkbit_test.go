package fleet_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/ddi/dditest"
)

// An update as the server's people see it: each word once and in its order, and of a
// success only when the device has committed it.
func TestAnActionIsTold(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{})
	r.on()
	var mu sync.Mutex
	var early []string
	h.listen(func(body string) bool {
		st, ok := r.Status()
		mu.Lock()
		defer mu.Unlock()
		// Committed is durable; what is left of the update is to clean up.
		u := st.Update
		if u == nil {
			u = st.Last
		}
		if strings.Contains(body, `"success"`) && (!ok || u == nil || u.State != engine.Committed || st.Pointers.Current != u.To) {
			early = append(early, body)
		}
		return false
	})
	r.check()
	require.Equal(t, "1.0.0", h.Attributes(id)["version"])

	action := h.offer(fixtures.Release{Version: "1.1.0"})
	r.check()
	end := r.ends(action)
	require.Equal(t, engine.Committed, end.State)
	state, ends := h.counted(action)
	require.Equal(t, dditest.Finished, state, "%+v", h.Action(action))
	require.Equal(t, 1, ends)
	require.Equal(t, []string{
		"download Downloading", "downloaded Ready, from 1.0.0 to 1.1.0", "running Switching, from 1.0.0 to 1.1.0", "finished Committed, from 1.0.0 to 1.1.0",
	}, h.states(action))
	require.Equal(t, 1, r.updates(action))
	r.check()
	require.Equal(t, "1.1.0", h.Attributes(id)["version"], "told again when they have changed")
	r.Whole("1.1.0")

	bad := h.offer(fixtures.Release{Version: "1.2.0", WebServer: "unhealthy"})
	r.check()
	end = r.ends(bad)
	require.Equal(t, engine.RolledBack, end.State)
	state, ends = h.counted(bad)
	require.Equal(t, dditest.Failed, state)
	require.Equal(t, 1, ends)
	last := h.Action(bad).Entries[len(h.Action(bad).Entries)-1]
	require.Contains(t, last.Messages[0], "HEALTH", last.Messages)
	require.NotZero(t, last.Code)
	r.Whole("1.1.0")

	// The same release once more is answered at once, with the reason.
	again := h.offer(fixtures.Release{Version: "1.2.0", WebServer: "unhealthy"})
	r.check()
	require.Equal(t, engine.Failed, r.ends(again).State)
	require.Zero(t, r.updates(again), "and nothing is fetched")
	state, _ = h.counted(again)
	require.Equal(t, dditest.Failed, state)
	require.Contains(t, strings.Join(h.states(again), "\n"), "QUARANTINED")
	mu.Lock()
	defer mu.Unlock()
	require.Empty(t, early, "it was told of a success that was none yet")
}

// A release that brings a new updater: the program that began the action is not the one
// that tells of its end, and when the release is bad the old one does.
func TestAnActionThatBringsTheUpdater(t *testing.T) {
	t.Parallel()
	h := serving(t)
	r := enrolled(t, h, devicetest.Options{Config: "[trust]\nunsigned_brings = [\"updater\"]\n"})
	program, err := os.ReadFile(r.Disk(devicetest.Updater))
	require.NoError(t, err)
	r.on()
	for i, bad := range []string{"", "unhealthy"} {
		// Bytes behind an ELF program's last section change its digest and nothing else.
		next := append(slices.Clone(program), bad+" another"...)
		action := h.offer(fixtures.Release{Version: fmt.Sprintf("1.%d.0", i+1), WebServer: bad, Files: map[string][]byte{"bin/tope-updater": next}})
		r.check()
		want := engine.Committed
		if bad != "" {
			want = engine.RolledBack
		}
		counts(t, r, h, action, "updater", want)
		require.GreaterOrEqual(t, strings.Count(r.Journal(), "another updater takes over"), i+1)
	}
	r.Whole("1.1.0")
}
