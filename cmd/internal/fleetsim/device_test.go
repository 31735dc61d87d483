package fleetsim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/steps"
)

// device is what survives a power cut of one device, and what the oracles know of it.
type device struct {
	*enginetest.Device
	f     *sim
	n     int
	id    string
	clock *clocktest.Bubble
	rand  *rand.Rand
	// hawkbit says which server it asks; windowed, that it has windows of its own.
	hawkbit, windowed bool
	hardware          string
	// cut begins a power cut of all devices; it is closed.
	loop atomic.Pointer[fleet.Loop]
	seen seen
}

// keepRecords is how many records a device's journal keeps: all that the fold does not.
const keepRecords = 2

func newDevice(f *sim, n int) *device {
	clock := clocktest.NewBubble(f.now())
	d := &device{
		Device: enginetest.NewDeviceAt(enginetest.LiveClock(clock)), f: f, n: n, id: fmt.Sprintf("device-%05d", n), clock: clock,
		rand:    rand.New(rand.NewPCG(f.seed, uint64(n))),
		hawkbit: n%2 == 1, windowed: n%6 < 2, hardware: "rev-b",
	}
	if n%4 > 1 && n%8 > 5 {
		d.hardware = "rev-c"
		d.Sick[badVersion] = true
	}
	d.seen.committed = map[string]bool{}
	d.Power.Forgetful = true
	d.J.Keep(keepRecords)
	return d
}

// live is the life of a device until the fleet ends: processes, with power cuts between.
func (d *device) live() {
	defer d.f.devices.Done()
	calm := false
	for {
		cut := enginetest.Cut{}
		if !calm && d.f.faulty() {
			cut = d.draw()
		}
		street := d.f.street.Load()
		ended := d.process(cut, street)
		if ended {
			return
		}
		calm = cut.N > 0
		off := time.Duration(d.rand.Int64N(int64(2 * time.Hour)))
		if street.lit.Err() != nil {
			off = time.Until(street.until) // everybody has power again in one moment
		}
		time.Sleep(off)
		d.reboot()
	}
}

// The moments at which it matters most whether the power goes: an end is durable, and it was
// told and that is not.
const (
	theEnd = "journal Committing→Committed"
	isTold = "journal outcome:"
)

// draw draws when the power of a process goes; mostly never.
func (d *device) draw() enginetest.Cut {
	after := d.rand.IntN(2) == 0
	switch kind := d.rand.IntN(12); {
	case kind == 0 || d.f.plant == forgets:
		return enginetest.Cut{N: 1, At: theEnd, After: after || d.f.plant == forgets}
	case kind == 1:
		return enginetest.Cut{N: 1 + d.rand.IntN(6), At: isTold, After: after}
	case kind < 5:
		return enginetest.Cut{N: 1 + d.rand.IntN(80), After: after}
	}
	return enginetest.Cut{}
}

// reboot is one after the power went. The wall clock may be wrong for some hours then.
func (d *device) reboot() {
	d.Reboot()
	d.Memory.Lose()
	if d.f.faulty() && d.rand.IntN(12) == 0 {
		right := d.f.now()
		wrong := []time.Time{time.Unix(0, 0), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), right.AddDate(-1, 0, 0)}[d.rand.IntN(3)]
		d.clock.SetNow(wrong)
		d.seen.wrongClock.Store(true)
		d.f.later(time.Duration(1+d.rand.IntN(20))*time.Hour, func() {
			d.clock.SetNow(d.f.now())
			d.seen.wrongClock.Store(false)
		})
	}
	d.On(enginetest.Cut{})
	if err := d.Oneshot(); err != nil {
		d.f.fail("%s: recovery at boot: %v", d.id, err)
	}
	d.InitStarts()
	d.f.plant.rebooted(d)
}

// process is one of the updater, until the power goes or the fleet ends. It has two
// goroutines: this one, and the engine's.
func (d *device) process(cut enginetest.Cut, street *outage) (ended bool) {
	d.On(cut)
	e, err := d.Engine(d.engine)
	if err == nil {
		_, err = e.Recover(context.Background(), engine.Daemon)
	}
	if err != nil {
		if !d.Off() {
			d.f.fail("%s: start: %v", d.id, err)
			return true
		}
		return false
	}
	ctx, stop := context.WithCancel(street.lit) // ends also with the fleet
	defer stop()
	life, kill := context.WithCancel(context.Background())
	died := make(chan error, 1)
	go func() {
		err := e.Run(life)
		stop()
		died <- err
	}()
	loop := fleet.New(d.config(d.f.source(d), e))
	d.loop.Store(loop)
	if d.n%50 == 7 || d.f.plant == ignoresHold {
		d.f.later(time.Duration(d.rand.IntN(72))*time.Hour, func() {
			_ = e.Hold(ctx, journal.Hold{Why: "a fair", Until: d.clock.Now().Add(30 * time.Hour)}) // the process may be gone
		})
	}
	if err := loop.Run(ctx); err != nil && !errors.Is(err, engine.ErrJournal) {
		d.f.fail("%s: the loop ended: %v", d.id, err)
	}
	d.loop.Store(nil)
	ended = d.f.over.Err() != nil
	if street.lit.Err() != nil && !ended {
		d.Fail()
	}
	if !ended && !d.Off() {
		d.f.fail("%s: the updater ended", d.id)
	}
	kill()
	<-died // the power may be gone
	return ended
}

// engine is what this device's engine is made of.
func (d *device) engine(c *engine.Config) {
	c.Journal = watched{d.J, d}
	c.Probation = 24 * time.Hour
	c.Reached = func(string) bool { l := d.loop.Load(); return l != nil && l.Reached() }
	c.Steps[steps.Download] = taking{c.Steps[steps.Download], time.Duration(1+d.rand.IntN(30)) * time.Minute, d.fetches}
	c.Steps[steps.HealthCheck] = taking{c.Steps[steps.HealthCheck], 40 * time.Second, nil}
}

// fetches makes the world's only bundle the one that the source names.
func (d *device) fetches(t *steps.Task) {
	url := t.Source.URL.Unredacted()
	_, version, _ := strings.Cut(url[strings.LastIndexByte(url, '/')+1:], "app-")
	version = strings.TrimSuffix(version, ".tope")
	d.Bundle = enginetest.Bundle{Version: version, Digest: digestOf(version)}
}

func (d *device) config(src fleet.Source, e fleet.Engine) fleet.Config {
	c := fleet.Config{
		Source: src, Engine: e, Clock: d.clock, ID: d.id, Policy: fleet.Auto, Poll: pollEvery, Build: built,
		Attributes: func() map[string]string { return map[string]string{"hardware": d.hardware} },
		Log:        slog.New(slog.DiscardHandler),
	}
	if d.windowed {
		c.Windows = d.f.windows
	}
	d.f.plant.configured(&c)
	return c
}

// taking lets a step take time.
type taking struct {
	steps.Step
	takes time.Duration
	first func(*steps.Task)
}

func (s taking) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return steps.Outcome{}, context.Cause(ctx)
	}
	if s.first != nil {
		s.first(t)
	}
	return s.Step.Do(ctx, t)
}

// watched shows the oracles each record once it is durable.
type watched struct {
	*enginetest.Journal
	d *device
}

func (w watched) Append(recs ...journal.Record) (*journal.Fold, error) {
	before := w.State().Seq
	f, err := w.Journal.Append(recs...)
	if f.Seq > before {
		for _, r := range recs {
			w.d.durable(r, f)
		}
	}
	return f, err
}
