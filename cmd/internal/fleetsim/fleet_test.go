package fleetsim_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/steps/bundle/channel"
)

var (
	devicesFlag = flag.Int("devices", 1000, "how many devices live")
	daysFlag    = flag.Int("days", 10, "for how many days")
	seedFlag    = flag.Uint64("seed", 1, "draws the faults")
)

// The releases. What is good follows what is bad.
const (
	goodVersion = "1.1.0"
	badVersion  = "1.2.0"
	lastVersion = "1.3.0"
)

var (
	epoch = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
	built = epoch.AddDate(0, -1, 0)
)

// sim is a fleet in a bubble.
type sim struct {
	n     int
	days  int
	seed  uint64
	plant plant

	servers *servers
	windows fleet.Windows
	fleet   []*device
	began   time.Time
	over    context.Context
	street  atomic.Pointer[outage]
	devices sync.WaitGroup
	// outages are when no server can be reached.
	outages [][2]time.Duration
	// actions is the newest action of each device of hawkBit, and of which version.
	actions map[int]assigned

	polls                           []atomic.Int32 // by the minute
	asked, tells, updates, badBegan atomic.Int64
	never                           atomic.Int64
	// haltedAt is the share of the bad release's rollout when it was halted.
	haltedAt atomic.Int64
	herd     float64

	mu    sync.Mutex
	found map[oracle][]string
}

type assigned struct {
	action, version string
}

// outage is when a whole street has no power: from the end of lit until until.
type outage struct {
	lit   context.Context
	fails context.CancelFunc
	until time.Time
}

// light has the whole street lit, until its power fails or the fleet ends.
func (f *sim) light() {
	var o outage
	o.lit, o.fails = context.WithCancel(f.over)
	f.street.Store(&o)
}

// play lets a fleet live, and returns what was seen.
func play(t *testing.T, n, days int, seed uint64, p plant) (f *sim) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f = &sim{
			n: n, days: days, seed: seed, plant: p, began: time.Now(),
			actions: map[int]assigned{}, polls: make([]atomic.Int32, days*24*60+60), found: map[oracle][]string{},
		}
		over, end := context.WithCancel(context.Background())
		defer end()
		f.over = over
		f.light()
		f.servers = newServers(t, f)
		var err error
		f.windows, err = fleet.ParseWindows([]fleet.Window{{From: "22:00", To: "04:00"}, {From: "10:00", To: "14:00"}}, time.UTC)
		require.NoError(t, err)
		f.drawOutages()
		f.servers.publish()
		for i := range n {
			d := newDevice(f, i)
			f.fleet = append(f.fleet, d)
			if d.hawkbit {
				f.servers.shard(d).AddTarget(d.id, token)
			}
			f.devices.Add(1)
			go d.live()
		}
		f.direct(t)
		end()
		f.devices.Wait()
		for _, d := range f.fleet {
			d.judge()
		}
		f.judgeHerd(f.part(75) + 10*time.Minute)
	})
	return f
}

// now is the right time.
func (f *sim) now() time.Time { return epoch.Add(time.Since(f.began)) }

// part is so many hundredths of the fleet's days.
func (f *sim) part(hundredths int) time.Duration {
	return time.Duration(f.days) * 24 * time.Hour * time.Duration(hundredths) / 100
}

// faulty: something may go wrong now. The last days are quiet, so that all can arrive.
func (f *sim) faulty() bool { return time.Since(f.began) < f.part(70) }

func (f *sim) drawOutages() {
	r := rand.New(rand.NewPCG(f.seed, 1<<41))
	for at := f.part(5); at < f.part(65); at += 2 * 24 * time.Hour {
		begins := at + time.Duration(r.Int64N(int64(36*time.Hour)))
		f.outages = append(f.outages, [2]time.Duration{begins, begins + time.Hour + time.Duration(r.Int64N(int64(8*time.Hour)))})
	}
}

func (f *sim) down() bool {
	now := time.Since(f.began)
	for _, o := range f.outages {
		if o[0] <= now && now < o[1] {
			return true
		}
	}
	return false
}

func (f *sim) polled() {
	f.asked.Add(1)
	f.polls[int(time.Since(f.began)/time.Minute)].Add(1)
}

// later does something after some time, unless the fleet has ended.
func (f *sim) later(after time.Duration, do func()) {
	go func() {
		select {
		case <-time.After(after):
			do()
		case <-f.over.Done():
		}
	}()
}

// direct is the publisher, the operator and the power company, from the first hour to the
// last.
func (f *sim) direct(t *testing.T) {
	day := func(hundredths int) int64 { return int64(f.part(hundredths) / time.Hour) }
	plan := map[int64]func(){
		day(3):  func() { f.release(goodVersion, 10) },
		day(30): func() { f.release(badVersion, 2) },
		day(34): f.halt,
		day(45): func() { f.release(lastVersion, 10) },
		day(75): f.powerFails,
	}
	hours := int64(f.days) * 24
	for h := int64(0); h < hours; h++ {
		if do := plan[h]; do != nil {
			do()
		}
		if h > 0 && h%(5*24) == 0 {
			t.Logf("day %d: %d polls, %d updates, peak RSS %d MiB", h/24, f.asked.Load(), f.updates.Load(), peakRSS()>>20)
		}
		if h%24 == 20 {
			f.servers.publish() // signed anew each day
		}
		f.operate(h)
		time.Sleep(epoch.Add(time.Duration(h+1) * time.Hour).Sub(f.now()))
	}
}

// release begins a rollout on both servers: from so many percent to all.
func (f *sim) release(version string, from channel.Percent) {
	f.servers.add(channel.Release{Version: version, Rollout: channel.Rollout{
		Start: f.now(), Percent: from * 100, To: channel.All, Hours: int64(f.part(15) / time.Hour),
	}})
}

// halt stops the bad release.
func (f *sim) halt() {
	r, _ := f.servers.rolloutOf(badVersion)
	f.haltedAt.Store(r.Share(f.now()))
	f.servers.change(badVersion, func(r *channel.Release) { r.State, r.Why = channel.Halted, "it does not start on rev-c" })
	for _, d := range f.fleet {
		if a := f.actions[d.n]; a.version == badVersion {
			f.servers.shard(d).Cancel(a.action)
		}
	}
}

// operate is hawkBit's operator, each hour: he assigns by the same order of devices, and
// assigns anew what has failed.
func (f *sim) operate(h int64) {
	for i, version := range []string{goodVersion, badVersion, lastVersion} {
		r, ok := f.servers.rolloutOf(version)
		if !ok || version == badVersion && f.haltedAt.Load() > 0 {
			continue
		}
		for _, d := range f.fleet {
			a := f.actions[d.n]
			if !d.hawkbit || !r.In(channel.PlaceOf(version, d.id), f.now()) || a.version > version {
				continue
			}
			if a.version == version {
				if h%12 != 0 {
					continue
				}
				if s := f.servers.shard(d).Action(a.action).State; version == badVersion || s != dditest.Failed && s != dditest.Canceled {
					continue
				}
			}
			how := dditest.Soft
			if d.forced() {
				how = dditest.Forced
			}
			f.actions[d.n] = assigned{f.servers.shard(d).Assign(d.id, i+1, how), version}
		}
	}
	for _, s := range f.servers.shards {
		s.Requests() // or it would keep them
	}
}

// forced: hawkBit's operator does not care for this device's windows.
func (d *device) forced() bool { return d.hawkbit && d.n%10 == 9 }

// powerFails takes the power of all devices for ten minutes.
func (f *sim) powerFails() {
	o := f.street.Load()
	o.until = time.Now().Add(10 * time.Minute)
	o.fails()
	time.Sleep(5 * time.Minute)
	f.light()
}

// summary tells what a fleet has done.
func (f *sim) summary(took time.Duration) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d devices, %d days, seed %d: %d polls, %d updates, %d words told (%d never wanted), %d began the bad release (halted at %.1f %%), busiest %.2f of the mean; %s, peak RSS %d MiB",
		f.n, f.days, f.seed, f.asked.Load(), f.updates.Load(), f.tells.Load(), f.never.Load(), f.badBegan.Load(), float64(f.haltedAt.Load())/1e7, f.herd, took.Round(100*time.Millisecond), peakRSS()>>20)
	return s.String()
}

// peakRSS is the most memory that this process had, in bytes.
func peakRSS() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kib int64
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "VmHWM:") {
			_, _ = fmt.Sscanf(strings.TrimPrefix(line, "VmHWM:"), "%d", &kib)
		}
	}
	return kib << 10
}

// TestFleet is `make fleet`.
func TestFleet(t *testing.T) {
	// Its memory is bounded rather than its time: a heap that is cleared late is fragmented.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(900 << 20))
	began := time.Now()
	f := play(t, *devicesFlag, *daysFlag, *seedFlag, "")
	t.Log(f.summary(time.Since(began)))
	for o, list := range f.found {
		t.Errorf("%s:\n  %s", o, strings.Join(list, "\n  "))
	}
	require.NotZero(t, f.badBegan.Load(), "the bad release reaches somebody")
}
