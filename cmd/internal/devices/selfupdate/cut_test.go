package selfupdate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/engine"
)

// selfCuts is how many cuts of the power a self-update has to bear here.
const selfCuts = 16

// The power is cut at some instant from the first stop of a service to the end of the
// clean-up, and in every second case once more soon after the next boot. The update ends
// all the same, services and updater are of one version, and the next boot finds the same.
func TestPowerCutsInASelfUpdate(t *testing.T) {
	t.Parallel()
	seed := uint64(devicetest.Seed(t))
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // where to cut is no secret
	const lanes = 2
	for lane := range lanes {
		delays := make([]time.Duration, selfCuts/lanes)
		for i := range delays {
			delays[i] = time.Duration(r.Int64N(int64(3 * time.Second)))
		}
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			d := newSelfDevice(t, devicetest.Options{})
			programs := [][]byte{d.old, d.fresh}
			d.Up()
			for i, delay := range delays {
				next, other := fmt.Sprintf("1.%d.0", i+1), programs[(i+1)%2]
				d.Begin(d.Offer(updater(next, other)))
				d.Wait("the update switches, or is over", func() bool {
					st, ok := d.Status()
					return ok && (engine.Switched(st.State) || st.Update == nil)
				})
				time.Sleep(delay) // not for synchronisation: any instant will do
				d.Kill()
				d.Start()
				if i%2 == 1 {
					time.Sleep(delay)
					d.Kill()
					d.Start()
				}
				d.Await()
				d.Answers()
				u := d.Over()
				t.Logf("cut %v after the switch began (twice: %v): %s", delay, i%2 == 1, u.State)
				// Nothing is wrong with the release: two cuts are within its budget.
				require.Equal(t, engine.Committed, u.State, "%+v", u)
				d.is(other)
				d.Whole(next)
				d.Kill()
				d.Up()
				d.is(other)
				d.Whole(next)
				require.Empty(t, d.Failed())
			}
		})
	}
}

// After three boots without a commit, the update is rolled back before a service starts.
// The committed updater does it, because no version has been able to replace it.
func TestThreeBootsInASelfUpdate(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{Stable: 20 * time.Second, Timeout: time.Minute})
	d.Up()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	for range 2 {
		d.In(engine.CheckingHealth)
		d.Wait("the new updater runs", func() bool { return d.runs() == digest(d.fresh) })
		d.Kill()
		d.Up()
	}
	d.In(engine.CheckingHealth)
	d.Wait("the new updater runs, for the third time", func() bool { return d.runs() == digest(d.fresh) })
	d.Kill()
	d.Up()
	// Only recover prints it so. journald does not know the unit of a line whose
	// process has ended before it looked.
	d.Logged("budget: 3 starts spent")
	require.Equal(t, engine.RolledBack, d.Over().State)
	d.is(d.old)
	d.Whole("1.0.0")
}
