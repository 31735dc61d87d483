package booted_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/bootedtest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// sweepLanes machines share the cuts.
const sweepLanes = 6

// TestSweep cuts the power at many points of many updates, good ones and bad
// ones, spread over their journal records by the seed; sometimes once more while
// the device recovers. After each, recover has run before the services, they are
// of one whole version, the update has ended as it may, and the next one works,
// which is the one that the next cut is in.
func TestSweep(t *testing.T) {
	cuts, seed := setting(t, "TOPE_CUTS", 100), setting(t, "TOPE_SEED", 1)
	count := &tally{at: map[string]int{}, ends: map[string]int{}}
	t.Run("lanes", func(t *testing.T) {
		for lane := range sweepLanes {
			t.Run(strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				s := &sweep{
					t: t, tally: count, random: rand.New(rand.NewPCG(uint64(seed), uint64(lane))),
					d: bootedtest.New(t, bootedtest.Options{Stable: 300 * time.Millisecond}), current: "1.0.0",
				}
				s.d.Up()
				for i := lane; i < cuts; i += sweepLanes {
					s.cut(i)
				}
				install(t, s.d, s.next(), "", engine.Committed)
			})
		}
	})
	t.Logf("%d cuts, at %v; updates ended as %v", cuts, count.at, count.ends)
	require.Greater(t, len(count.at), min(cuts/10, 8), "the cuts are spread over the states")
}

func setting(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// tally is where the cuts were, and how the updates ended.
type tally struct {
	mu       sync.Mutex
	at, ends map[string]int
}

func (c *tally) add(m map[string]int, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[key]++
}

type sweep struct {
	t       *testing.T
	d       *bootedtest.Device
	random  *rand.Rand
	tally   *tally
	current string
	serial  int
}

func (s *sweep) next() string {
	s.serial++
	return fmt.Sprintf("1.1.%d", s.serial)
}

// flows are releases and how an update to them may end. An update writes this
// many records, more or less: a cut beyond is one of the idle device.
func flows() []struct {
	behaviour string
	records   int
	ends      map[engine.State]bool
} {
	type flow = struct {
		behaviour string
		records   int
		ends      map[engine.State]bool
	}
	good := map[engine.State]bool{engine.Committed: true}
	bad := map[engine.State]bool{engine.RolledBack: true}
	return []flow{{"", 20, good}, {"exit", 24, bad}, {"", 20, good}, {"unhealthy", 24, bad}}
}

func (s *sweep) cut(i int) {
	t, d := s.t, s.d
	t.Helper()
	f := flows()[i/sweepLanes%len(flows())]
	version := s.next()
	path := d.Offer(fixtures.Release{Version: version, DeviceAPI: f.behaviour})
	st, ok := d.Status()
	require.True(t, ok)
	until, delay := st.Journal.Seq+uint64(s.random.IntN(f.records)), time.Duration(s.random.IntN(30))*time.Millisecond
	d.Begin(path)
	at := s.waitFor(until)
	waited := time.After(delay) // the point is within a step, not only between two
	<-waited
	d.Kill()
	s.tally.add(s.tally.at, string(at))
	again := s.random.IntN(4) == 0
	if again {
		// Once more, while it recovers or has just done so.
		d.Start()
		<-time.After(time.Duration(s.random.IntN(1500)) * time.Millisecond)
		d.Kill()
	}
	d.Up()
	recoveredFirst(t, d)
	u := d.Over()
	what := fmt.Sprintf("cut %d, at %s, %q, twice: %v: %+v", i, at, f.behaviour, again, u)
	require.Equal(t, version, u.To, what)
	allowed := maps.Clone(f.ends)
	if again {
		// The state's budget may be spent.
		allowed[engine.RolledBack] = true
		allowed[engine.FellBack] = f.ends[engine.RolledBack]
	}
	require.True(t, allowed[u.State], what)
	s.tally.add(s.tally.ends, string(u.State))
	switch u.State {
	case engine.Committed:
		s.current = version
	case engine.FellBack:
		s.current = "1.0.0"
	}
	d.Whole(s.current)
	require.Empty(t, slices.DeleteFunc(d.Failed(), func(unit string) bool { return unit == "" }), what)
}

// waitFor returns the state in which the journal has reached that record, or in
// which the update was over before.
func (s *sweep) waitFor(seq uint64) engine.State {
	s.t.Helper()
	last := engine.Idle
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		st, ok := s.d.Status()
		if ok {
			last = st.State
			if st.Journal.Seq >= seq || st.Update == nil {
				return last
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.t.Fatalf("the journal has not reached record %d within a minute", seq)
	return last
}
