package fleet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// TestAWeekWithoutAServer: what happened is told afterwards, in order, and once.
func TestAWeekWithoutAServer(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.changes = []enginetest.Change{func(c *engine.Config) { c.Probation = 0 }} // it would go back
		d.source.Deaf(func(journal.Notice) error { return errDown })
		d.accepts()
		require.Equal(t, "1.1.0", d.current())
		d.source.Fails(errDown)
		d.pass(3 * 24 * hour)
		d.reboot(hour)
		d.pass(4 * 24 * hour)
		d.words()
		require.Len(t, d.fold().Outbox, 4)
		require.Len(t, d.loop.Load().Status().Outbox, 4)
		require.Contains(t, d.loop.Load().Status().Untold, "refused")
		d.source.Deaf(nil)
		d.source.Fails(nil)
		d.source.Offers(nil)
		for n := len(d.source.Asked()); len(d.source.Asked()) == n; {
			d.pass(time.Minute)
		}
		d.words("1 Downloading", "1 Ready", "1 Switching", "1 Committed, the end") // at once
		told := d.source.Told()
		require.True(t, slices.IsSortedFunc(told, func(a, b journal.Notice) int { return int(a.ID) - int(b.ID) }))
		require.Empty(t, d.fold().Outbox)
		d.reboot(hour)
		d.pass(24 * hour)
		d.words()
	})
}

// TestPoison: a notice that is never taken is dropped with a word, and those after it are
// told.
func TestPoison(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Deaf(func(n journal.Notice) error {
			if n.State == engine.Ready {
				return fmt.Errorf("%w: it has HTML in it", fleet.ErrNever)
			}
			return nil
		})
		d.accepts()
		d.words("1 Downloading", "1 Switching", "1 Committed, the end")
		require.Empty(t, d.fold().Outbox)
		never := ""
		for _, r := range d.J.All() {
			if r.Told != nil && r.Told.Never != "" {
				never = r.Told.Never
			}
		}
		require.Contains(t, never, "it has HTML in it")
	})
}

// TestNothingIsToldThatIsNotInTheJournal: not even when the power goes at any record of an
// update. Success is told of what is committed, and each end once.
func TestNothingIsToldThatIsNotInTheJournal(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; n <= 28; n++ {
			within(t, func(t *testing.T, d *device) {
				d.source.See = func(string) {
					told := d.J.State().Outbox
					require.NotEmpty(t, told)
					if n := told[0]; n.End {
						require.Equal(t, n.State, d.J.State().EndOf(*n.Origin).State)
					}
				}
				d.offers("1", "1.1.0")
				d.On(enginetest.Cut{N: n, At: "journal", After: after})
				d.start()
				_ = d.loop.Load().Check(t.Context()) // the power may go
				d.pass(2 * time.Minute)
				if d.Off() {
					d.reboot(10 * time.Minute)
				}
				d.pass(3 * hour)
				require.Equal(t, "1.1.0", d.current(), d.Trace())
				accepts, ends := 0, 0
				for _, r := range d.J.All() {
					if r.Accept != nil {
						accepts++
					}
				}
				told := d.source.Told()
				list := slices.CompactFunc(told, func(a, b journal.Notice) bool { return a.ID == b.ID })
				for _, n := range list {
					if n.End && n.Update != "" {
						ends++
					}
				}
				require.Equal(t, 1, accepts, "an offer is installed once")
				require.Equal(t, 1, ends, "its end is told once: %v", told)
			})
		}
	}
}

// TestALostAnswer: it is told again, with the same number, until the device knows.
func TestALostAnswer(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Poll = 100 * hour
		heard := map[uint64]int{}
		d.source.Deaf(func(n journal.Notice) error {
			if heard[n.ID]++; heard[n.ID] == 1 {
				return errDown // the server has acted
			}
			return nil
		})
		d.accepts()
		d.source.Offers(nil)
		d.pass(5 * hour)
		require.Len(t, heard, 4)
		for id, n := range heard {
			require.Equal(t, 2, n, id)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		d.source.Fails(&fleet.Wait{For: 3 * hour, Err: errDown})
		require.Error(t, d.loop.Load().Check(t.Context()))
		n := len(d.source.Asked())
		d.pass(3*hour - time.Second)
		require.Len(t, d.source.Asked(), n)
		d.pass(20 * time.Minute)
		require.Len(t, d.source.Asked(), n+1)
	})
	within(t, func(t *testing.T, d *device) {
		d.source.Deaf(func(journal.Notice) error { return &fleet.Wait{For: 3 * hour, Err: errDown} })
		d.accepts()
		d.source.Deaf(nil)
		n := len(d.source.Asked())
		d.pass(3*hour - time.Second)
		d.words()
		require.Len(t, d.source.Asked(), n, "who wants to be left alone is not asked either")
		d.pass(20 * time.Minute)
		require.NotEmpty(t, d.source.Words())
	})
}

// TestNobodyIsToldWhoWantsToBeLeftAlone, either.
func TestNobodyIsToldWhoWantsToBeLeftAlone(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.source.Deaf(func(journal.Notice) error { return errDown })
		d.accepts()
		d.source.Fails(&fleet.Wait{For: 3 * hour, Err: errDown})
		require.Error(t, d.loop.Load().Check(t.Context()))
		d.source.Deaf(nil)
		d.pass(3*hour - time.Second)
		d.words()
		d.source.Fails(nil)
		d.pass(20 * time.Minute)
		require.NotEmpty(t, d.source.Words())
	})
}

// TestAnOutageBacksOff, and ends when the source is there again.
func TestAnOutageBacksOff(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		d.source.Fails(errDown)
		d.pass(24 * hour)
		n := len(d.source.Asked())
		require.Less(t, n, 40)
		require.NotEmpty(t, d.loop.Load().Status().Failure)
		d.pass(24 * hour)
		require.InDelta(t, 30, len(d.source.Asked())-n, 8, "4/3 of the usual at most")
		d.source.Fails(nil)
		d.pass(2 * hour)
		require.Empty(t, d.loop.Load().Status().Failure)
	})
}

// TestPolls: the first is somewhere in the interval, and the next ones come by it, or by
// what the source says.
func TestPolls(t *testing.T) {
	var first []time.Duration
	for i := range 40 {
		within(t, func(t *testing.T, d *device) {
			d.cfg.ID = fmt.Sprint("device-", i)
			d.up()
			began := time.Now()
			d.pass(20 * hour)
			asked := d.source.Asked()
			first = append(first, asked[0].Sub(began))
			for i := range asked[1:] {
				require.InDelta(t, hour, asked[i+1].Sub(asked[i]), float64(6*time.Minute+time.Second))
			}
			d.source.Answers(fleet.Answer{Next: 10 * time.Minute})
			d.check()
			n := len(d.source.Asked())
			d.pass(10 * hour)
			require.InDelta(t, 60, len(d.source.Asked())-n, 6)
		})
	}
	require.Less(t, busiest(first, 6*time.Minute), 14)
	require.Less(t, slices.Max(first), 66*time.Minute)
}

// TestAnIntervalThatIsFixed: the source has no say in it.
func TestAnIntervalThatIsFixed(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.cfg.Fixed = true
		d.source.Answers(fleet.Answer{Next: time.Minute})
		d.up()
		d.pass(20 * hour)
		require.InDelta(t, 20, len(d.source.Asked()), 3)
	})
}

// TestNothingWakesAnIdleDevice between two polls.
func TestNothingWakesAnIdleDevice(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		d.pass(100 * hour)
		require.InDelta(t, 100, len(d.source.Asked()), 10)
		require.Empty(t, d.J.All())
	})
}

// TestCheckEndsWithTheLoop, and with its context.
func TestCheckEndsWithTheLoop(t *testing.T) {
	within(t, func(t *testing.T, d *device) {
		d.up()
		loop := d.loop.Load()
		d.halt()
		require.Error(t, loop.Check(t.Context()))
	})
}
