package fleet_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
)

// TestALongUpdateLeavesNothingBehind: each change of the engine ends a wait of hours and
// begins another. Of thousands of them the loop keeps nothing. The clock is the system's,
// since a timer that nobody waits for any more is what may stay until its hours are over.
func TestALongUpdateLeavesNothingBehind(t *testing.T) {
	e := &restless{fold: &journal.Fold{}}
	e.change()
	source := &fleettest.Script{}
	source.Offers(fleettest.Offer("1", "1.1.0", digest("1")))
	loop := fleet.New(fleet.Config{Source: source, Engine: e, Clock: clock.System(), ID: "device-1", Policy: fleet.Check})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- loop.Run(ctx) }()
	require.NoError(t, loop.Check(t.Context()))

	const changes = 5000
	e.changes(changes / 5) // what grows once in a process
	before := heapNow()
	e.changes(changes)
	grown := heapNow() - before
	t.Logf("%d bytes for %d changes", grown, changes)
	require.Less(t, grown, int64(64<<10))
	require.Len(t, source.Asked(), 1)
	stop()
	require.NoError(t, <-ran)
}

// TestAnIdleLoopWakesOnlyToAsk: between two questions a device with nothing to do sleeps,
// also one that only looks at what is offered.
func TestAnIdleLoopWakesOnlyToAsk(t *testing.T) {
	for name, offer := range map[string]*fleet.Offer{"nothing": nil, "an offer": fleettest.Offer("1", "1.1.0", digest("1"))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &restless{fold: &journal.Fold{}}
				e.change()
				source := &fleettest.Script{}
				source.Offers(offer)
				loop := fleet.New(fleet.Config{Source: source, Engine: e, Clock: clocktest.NewBubble(day), ID: "device-1", Policy: fleet.Check})
				ctx, stop := context.WithCancel(t.Context())
				ran := make(chan error, 1)
				go func() { ran <- loop.Run(ctx) }()
				time.Sleep(10 * 24 * hour)
				synctest.Wait()
				asked := len(source.Asked())
				require.InDelta(t, 40, asked, 4)
				require.EqualValues(t, asked+1, e.looked.Load())
				stop()
				require.NoError(t, <-ran)
			})
		})
	}
}

// restless is an engine that changes all the time and does nothing.
type restless struct {
	fleet.Engine
	fold *journal.Fold
	now  atomic.Pointer[chan struct{}]
	// looked counts how often somebody has begun to wait for a change.
	looked atomic.Int64
}

func (e *restless) Status() engine.Status  { return engine.Status{} }
func (e *restless) Journal() *journal.Fold { return e.fold }

func (e *restless) Changed() <-chan struct{} {
	ch := *e.now.Load() // first: who is counted is woken by the next change
	e.looked.Add(1)
	return ch
}

func (e *restless) change() {
	next := make(chan struct{})
	if old := e.now.Swap(&next); old != nil {
		close(*old)
	}
}

// changes lets the loop see n changes, one after the other.
func (e *restless) changes(n int) {
	for range n {
		seen := e.looked.Load()
		for e.change(); e.looked.Load() == seen; {
			runtime.Gosched()
		}
	}
}

func heapNow() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // megabytes
}
