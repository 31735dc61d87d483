package devicetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/roottest"
)

// lookEvery is the pause between two looks at a device's status.
const lookEvery = 2 * time.Millisecond

// Sweep cuts the power of devices in the middle of updates, good and bad ones. Half
// of the cuts come shortly after a record of the journal; the others come somewhere
// in a state, since some states have many records and some have few. One cut in four
// is followed by another, while the device recovers.
//
// After each boot recovery has run before the services, which come up on one
// whole version. Then the update goes on, or goes back, to the state that the
// table says. The next update works: it is the next to be cut.
type Sweep struct {
	// Suites are the suites of Debian that the devices run.
	Suites []string
	// Lanes are how many devices are cut at the same time, each again and again. Two
	// and two have a suite: the first gets bad updates, the second good ones.
	Lanes int
	// Cuts is how often the power is cut in all, drawn from Seed. What does not go
	// into Lanes is left out.
	Cuts, Seed int
}

// Run returns how many cuts came in each state.
func (w Sweep) Run(t *testing.T) map[engine.State]int {
	t.Helper()
	roottest.Need(t, "devices that boot")
	seen := make(chan engine.State, w.Cuts)
	t.Run("sweep", func(t *testing.T) {
		for i := range w.Lanes {
			suite := w.Suites[i/2%len(w.Suites)]
			t.Run(suite+"-"+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				s := &sweep{
					Device: New(t, Options{Timeout: 2 * time.Second, Suite: suite}), t: t,
					rand: rand.New(rand.NewPCG(uint64(w.Seed), uint64(i))), current: "1.0.0", records: map[bool]int{false: 12, true: 24},
				}
				s.Up()
				for n := range w.Cuts / w.Lanes {
					seen <- s.cut(n, n*w.Lanes+i)
				}
			})
		}
	})
	close(seen)
	count := map[engine.State]int{}
	for state := range seen {
		count[state]++
	}
	return count
}

// sweep is one device of the sweep.
type sweep struct {
	*Device
	t       *testing.T
	rand    *rand.Rand
	current string // committed
	// records is how many records the last good update left, and the last bad one.
	records map[bool]int
}

// cut begins an update, cuts the power in it, and sees it to its end. It returns
// the state in which the cut came. The place of a cut among all cuts chooses its
// record, so that the cuts spread over all records of an update.
func (s *sweep) cut(n, place int) engine.State {
	bad := place%2 == 0
	r := fixtures.Release{Version: fmt.Sprintf("1.1.%d", n)}
	if bad {
		r.WebServer = "unhealthy"
	}
	before := s.Answers()
	s.Begin(s.Offer(r))
	there, within := s.target(place, bad, before.Journal.Seq)
	// Wait for that instant or the end of the update, whichever comes first.
	deadline := time.Now().Add(patience)
	for {
		st, ok := s.Status()
		require.True(s.t, time.Now().Before(deadline), "update %d stands still: %+v", n, st)
		if ok && (there(st) || st.Update == nil && !engine.Busy(st.State)) {
			break
		}
		// No state is as short as this pause. Without the pause the sweeps take the
		// processors from each other.
		time.Sleep(lookEvery)
	}
	time.Sleep(time.Duration(s.rand.Int64N(int64(within)))) // a random instant within it
	s.Kill()
	again := s.rand.IntN(4) == 0
	if again {
		// Cut once more, while the device recovers or has just recovered.
		s.Start()
		time.Sleep(time.Duration(s.rand.IntN(1200)) * time.Millisecond)
		s.Kill()
	}

	s.Boot()
	s.recoveredFirst()
	first := s.firstVersion(DeviceAPI)
	require.Equal(s.t, first, s.firstVersion(WebServer), "services came up on two versions")
	require.Contains(s.t, []string{s.current, r.Version, "1.0.0"}, first)
	s.Answers()
	u := s.Over()
	require.Equal(s.t, r.Version, u.To)
	allowed := []engine.State{engine.Committed}
	if bad {
		allowed[0] = engine.RolledBack
	}
	if again {
		// The boots may have spent the state's budget.
		allowed = append(allowed, engine.RolledBack)
		if bad {
			allowed = append(allowed, engine.FellBack)
		}
	}
	require.Contains(s.t, allowed, u.State, "update %d, cut again: %v, %+v", n, again, u)
	switch u.State {
	case engine.Committed:
		s.current = r.Version
	case engine.FellBack:
		s.current = "1.0.0"
	}
	s.Whole(s.current)
	records := s.Records(u.ID)
	s.records[bad] = len(records)
	return stateAtCut(records)
}

// target says when to cut the power: shortly after there becomes true.
func (s *sweep) target(place int, bad bool, seq uint64) (there func(engine.Status) bool, within time.Duration) {
	if place/2%2 == 0 {
		at := seq + 1 + uint64(place/4*7%s.records[bad])
		return func(st engine.Status) bool { return st.Journal.Seq >= at }, 20 * time.Millisecond
	}
	states := []engine.State{engine.Switching, engine.Restarting, engine.CheckingHealth, engine.Committed, engine.Extracting}
	if bad {
		states = []engine.State{engine.Restarting, engine.CheckingHealth, engine.RollingBack, engine.RolledBack}
	}
	state := states[place/4%len(states)]
	if state == engine.CheckingHealth {
		within = 300 * time.Millisecond
	} else {
		within = 50 * time.Millisecond
	}
	return func(st engine.Status) bool { return st.State == state }, within
}

// recoveredFirst: the oneshot succeeded, before any service was started.
func (s *sweep) recoveredFirst() {
	require.Equal(s.t, "success", s.Property(Recover, "Result"))
	done := s.monotonic(Recover, "ExecMainExitTimestampMonotonic")
	require.NotZero(s.t, done)
	for _, unit := range []string{DeviceAPI, WebServer, Daemon} {
		require.Greater(s.t, s.monotonic(unit, "InactiveExitTimestampMonotonic"), done, "%s did not wait for recovery", unit)
	}
}

func (s *sweep) monotonic(unit, name string) int {
	n, err := strconv.Atoi(s.Property(unit, name))
	require.NoError(s.t, err)
	return n
}

// firstVersion is the version of the program that a unit ran first at this boot.
func (s *sweep) firstVersion(unit string) string {
	name := strings.TrimSuffix(unit, ".service")
	var said string
	s.Wait(unit+" has said which version it is", func() bool {
		said, _ = s.Run("journalctl", "-b", "-q", "-u", unit, "-o", "cat")
		return strings.Contains(said, name+" ")
	})
	_, rest, _ := strings.Cut(said, name+" ")
	version, _, _ := strings.Cut(rest, ":")
	return version
}

// stateAtCut is the state of an update when it was cut, by the journal.
func stateAtCut(records []journal.Record) engine.State {
	state := engine.State("")
	for _, r := range records {
		if r.Boot != records[0].Boot {
			break
		}
		if r.To != "" {
			state = r.To
		}
	}
	return state
}
