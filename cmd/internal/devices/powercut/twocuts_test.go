package powercut_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// TestTwoCutsInARow cuts the power in an update, and again while the device
// recovers or has just recovered. The second cut may spend the state's budget, so
// more than one end is right. Half a version is wrong, and so is a device that
// does not take a further update.
func TestTwoCutsInARow(t *testing.T) {
	t.Parallel()
	const devices = 3
	pairs, seed := devicetest.Cuts(t)/8, devicetest.Seed(t)
	for lane := range devices {
		t.Run(strconv.Itoa(lane), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(seed), uint64(100+lane)))
			d := devicetest.New(t, devicetest.Options{Timeout: 2 * time.Second})
			d.Up()
			current := "1.0.0"
			for n := range pairs / devices {
				current = twoCuts(t, d, random, n, current)
			}
			d.Install("1.2.0", "", engine.Committed)
			d.Whole("1.2.0")
		})
	}
}

// twoCuts returns the version that runs in the end.
func twoCuts(t *testing.T, d *devicetest.Device, random *rand.Rand, n int, current string) string {
	t.Helper()
	version, bad := fmt.Sprintf("1.1.%d", n), n%2 == 1
	r := fixtures.Release{Version: version}
	if bad {
		r.DeviceAPI = "exit"
	}
	before := d.Answers()
	at := before.Journal.Seq + 1 + uint64(random.IntN(20))
	d.Begin(d.Offer(r))
	var cut engine.State
	d.Within(2*time.Minute, "the record at which the power is cut", func() bool {
		st, ok := d.Status()
		cut = st.State
		return ok && (st.Journal.Seq >= at || st.Update == nil)
	})
	d.Kill()
	d.Start()
	<-time.After(time.Duration(random.IntN(1500)) * time.Millisecond) // any instant of the boot
	d.Kill()
	d.Up()
	d.RecoveredFirst()
	u := d.Over()
	what := fmt.Sprintf("update %d, cut in %s: %+v", n, cut, u)
	require.Equal(t, version, u.To, what)
	switch {
	case u.State == engine.Committed && !bad:
		current = version
	case u.State == engine.FellBack && bad:
		current = "1.0.0"
	default:
		require.Equal(t, engine.RolledBack, u.State, what)
	}
	d.Whole(current)
	return current
}
