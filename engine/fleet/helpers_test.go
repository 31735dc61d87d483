package fleet_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/steps"
)

// day is a Tuesday, when each test begins, at ten o'clock.
var day = time.Date(2026, time.December, 1, 10, 0, 0, 0, time.UTC)

const hour = time.Hour

// digest is a release's.
func digest(fill string) string { return "sha256:" + strings.Repeat(fill, 64)[:64] }

// device is one with the real engine and the real loop, in a bubble of virtual time. Its
// source is a Script.
type device struct {
	*enginetest.Device
	t      *testing.T
	clock  *clocktest.Bubble
	source *fleettest.Script
	// cfg is what the next process's loop is made of.
	cfg fleet.Config
	// changes are to the next process's engine.
	changes []enginetest.Change

	life *enginetest.Life
	loop atomic.Pointer[fleet.Loop]
	stop context.CancelFunc
	ran  chan error
}

// within runs a test in a bubble, on a device that is off.
func within(t *testing.T, test func(t *testing.T, d *device)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := clocktest.NewBubble(day)
		d := &device{Device: enginetest.NewDeviceAt(enginetest.LiveClock(clock)), t: t, clock: clock, source: &fleettest.Script{}}
		d.cfg = fleet.Config{ID: "device-1", Policy: fleet.Auto, Poll: hour, Build: day.AddDate(0, -1, 0)}
		defer d.halt()
		test(t, d)
	})
}

// up starts the updater.
func (d *device) up() {
	d.t.Helper()
	d.On(enginetest.Cut{})
	d.start()
}

func (d *device) start() {
	d.t.Helper()
	changes := append([]enginetest.Change{func(c *engine.Config) {
		c.Probation = 24 * hour
		c.Reached = func(string) bool { l := d.loop.Load(); return l != nil && l.Reached() }
	}}, d.changes...)
	var err error
	d.life, err = d.Start(changes...)
	require.NoError(d.t, err)
	d.cfg.Source, d.cfg.Engine, d.cfg.Clock = d.source, d.life.Engine, d.clock
	loop := fleet.New(d.cfg)
	d.loop.Store(loop)
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	d.ran = make(chan error, 1)
	go func(ran chan error) { ran <- loop.Run(ctx) }(d.ran)
	synctest.Wait()
}

// halt ends the updater in order.
func (d *device) halt() {
	if d.life == nil {
		return
	}
	d.stop()
	<-d.ran
	_ = d.life.Stop() // the power may be gone
	d.life = nil
}

// reboot cuts the power for a while.
func (d *device) reboot(off time.Duration) {
	d.t.Helper()
	d.Fail()
	d.halt()
	time.Sleep(off)
	d.Reboot()
	d.Memory.Lose()
	d.On(enginetest.Cut{})
	require.NoError(d.t, d.Oneshot())
	d.InitStarts()
	d.start()
}

// pass lets time go by. The device's goroutines see what the test has written before.
func (d *device) pass(t time.Duration) {
	d.t.Helper()
	d.clock.Now() // has a lock, which they take at each look at the time
	time.Sleep(t)
	synctest.Wait()
}

// check asks the source now.
func (d *device) check() {
	d.t.Helper()
	require.NoError(d.t, d.loop.Load().Check(d.t.Context()))
	synctest.Wait()
}

// offers has the source offer what the server of bundles has then.
func (d *device) offers(action, version string) *fleet.Offer {
	d.Bundle.Version, d.Bundle.Digest = version, digest(version[2:3])
	o := fleettest.Offer(action, version, d.Bundle.Digest)
	d.source.Offers(o)
	return o
}

// accepts has the source offer action 1, version 1.1.0, and lets the device fetch it.
func (d *device) accepts() *fleet.Offer {
	d.t.Helper()
	o := d.offers("1", "1.1.0")
	d.up()
	d.check()
	return o
}

func (d *device) fold() *journal.Fold { return d.life.Journal() }

// current is the version that runs.
func (d *device) current() string { return d.life.Status().Pointers.Current }

// reason is why the update that is ready waits; empty when none does.
func (d *device) reason() fleet.Reason {
	u := d.fold().Open
	if u == nil || u.State != engine.Ready || u.Wait == nil {
		return ""
	}
	return fleet.Reason(u.Wait.Reason)
}

// waits requires that the offer waits for this reason.
func (d *device) waits(r fleet.Reason) {
	d.t.Helper()
	require.Equal(d.t, r, d.reason(), d.Trace())
	require.Equal(d.t, string(r), d.loop.Load().Status().Wait.Reason)
	require.NotEmpty(d.t, d.fold().Open.Wait.Text)
}

// words requires what was told since the last call.
func (d *device) words(want ...string) {
	d.t.Helper()
	have := d.source.Words()
	if len(have)+len(want) > 0 {
		require.Equal(d.t, want, have, d.Trace())
	}
}

// slow lets a step take time before it does its work.
func slow(name steps.Name, takes time.Duration) enginetest.Change {
	return func(c *engine.Config) { c.Steps[name] = slowly{c.Steps[name], takes} }
}

type slowly struct {
	steps.Step
	takes time.Duration
}

func (s slowly) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	select {
	case <-time.After(s.takes):
		return s.Step.Do(ctx, t)
	case <-ctx.Done():
		return steps.Outcome{}, context.Cause(ctx)
	}
}

var errDown = errors.New("connection refused")
