package fleetsim_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/steps/bundle/channel"
)

// oracle is one of the things that are watched.
type oracle string

const (
	toldOnce     oracle = "each end is told, and counts once"
	committed    oracle = "a success is told of what is committed"
	installsOnce oracle = "an offer is installed once"
	percent      oracle = "nobody begins before its place in the rollout"
	window       oracle = "nobody installs outside of its window"
	hold         oracle = "nobody installs what is held back"
	bad          oracle = "a bad release stops at the share of its halt"
	herd         oracle = "a fleet that starts in one moment asks evenly"
	arrives      oracle = "every device arrives at the good release"
	broken       oracle = "nothing breaks"
)

// seen is what the oracles know of a device.
type seen struct {
	// wrongClock: what the device says of the time is not to be judged.
	wrongClock atomic.Bool
	// misled: it was given an old file, in which what was halted since goes on.
	misled atomic.Bool

	mu sync.Mutex
	// committed has the actions that the journal has committed, and ends all ends of
	// those that its server wants to know; never those it will not take.
	committed map[string]bool
	ends      []end
	never     int
}

type end struct {
	action string
	state  journal.State
}

// durable judges a record that the device's journal has. f is the fold after it.
func (d *device) durable(r journal.Record, f *journal.Fold) {
	if r.Told != nil && r.Told.Never != "" {
		d.seen.mu.Lock()
		d.seen.never++
		d.seen.mu.Unlock()
	}
	u := f.Open
	if u == nil || u.ID != r.Update {
		u = f.Last
	}
	if u == nil || u.ID != r.Update || u.Origin == nil || u.Kind != engine.Install {
		return
	}
	switch {
	case r.Accept != nil:
		d.begins(u.Origin.Action)
	case r.To == engine.Extracting:
		d.installs(u, f)
	}
	if !r.Terminal {
		return
	}
	d.f.updates.Add(1)
	d.seen.mu.Lock()
	defer d.seen.mu.Unlock()
	if r.To == engine.Committed {
		if d.seen.committed[u.Origin.Action] && !strings.Contains(u.Origin.Action, ".") {
			d.f.violates(installsOnce, "%s: action %s", d.id, u.Origin.Action)
		}
		d.seen.committed[u.Origin.Action] = true
	}
	if u.Reports {
		d.seen.ends = append(d.seen.ends, end{u.Origin.Action, r.To})
	}
}

// begins judges that a device begins with a release of the channel. The action is its version.
func (d *device) begins(version string) {
	if d.hawkbit {
		return // the server has assigned it to this device
	}
	r, _ := d.f.servers.rolloutOf(version)
	place := channel.PlaceOf(version, d.id)
	if !d.seen.wrongClock.Load() && !r.In(place, d.clock.Now()) {
		d.f.violates(percent, "%s begins with %s at place %s", d.id, version, place)
	}
	if version == badVersion {
		d.f.badBegan.Add(1)
		if share := d.f.haltedAt.Load(); share > 0 && int64(place) >= share && !d.seen.misled.Load() {
			d.f.violates(bad, "%s begins with %s, and it was halted before its turn", d.id, version)
		}
	}
}

// installs judges the moment of an installation.
func (d *device) installs(u *journal.Update, f *journal.Fold) {
	now := d.clock.Now()
	if d.seen.wrongClock.Load() || now.Before(built) {
		return
	}
	if d.windowed && !d.forced() && !inWindow(now) {
		d.f.violates(window, "%s installs %s at %s", d.id, u.To, now)
	}
	if h := f.Held; h != nil && now.Before(h.Until) {
		d.f.violates(hold, "%s installs %s at %s", d.id, u.To, now)
	}
}

// inWindow knows the windows of the fleet without the code that is tested.
func inWindow(t time.Time) bool {
	return t.Hour() >= 22 || t.Hour() < 4 || t.Hour() >= 10 && t.Hour() < 14
}

// tells judges what a device is about to tell hawkBit.
func (d *device) tells(path string, body []byte) {
	d.f.tells.Add(1)
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[len(parts)-3] != "deploymentBase" || !bytes.Contains(body, []byte(`"closed"`)) || !bytes.Contains(body, []byte(`"success"`)) {
		return
	}
	action := parts[len(parts)-2]
	d.seen.mu.Lock()
	defer d.seen.mu.Unlock()
	if !d.seen.committed[action] {
		d.f.violates(committed, "%s tells a success of action %s", d.id, action)
	}
}

// judge judges a device after the fleet's end.
func (d *device) judge() {
	f := d.J.State()
	if f.Committed != lastVersion {
		why := "nothing"
		if n := len(f.Offers); n > 0 {
			why = fmt.Sprint(f.Offers[n-1].State, " ", f.Offers[n-1].Action, " ", f.Offers[n-1].Text)
		}
		d.f.violates(arrives, "%s (hawkBit: %v, windows: %v, %s) is on %s: %s; open: %v", d.id, d.hawkbit, d.windowed, d.hardware, f.Committed, why, f.Open != nil)
	}
	if !d.hawkbit {
		return
	}
	if d.seen.never > 0 {
		d.f.never.Add(int64(d.seen.never))
	}
	if n := len(f.Outbox); n > 0 {
		d.f.violates(toldOnce, "%s: %d notices are still to be told, the first is %s of %s", d.id, n, f.Outbox[0].State, f.Outbox[0].Origin.Action)
	}
	for _, e := range d.seen.ends {
		v := d.f.servers.shard(d).Action(e.action)
		n := 0
		for _, it := range v.Entries {
			if slices.Contains([]string{"finished", "error", "canceled"}, it.State) {
				n++
			}
		}
		want := []string{dditest.Failed, dditest.Canceled}
		if e.state == engine.Committed {
			want = []string{dditest.Finished}
		}
		if n != 1 || !slices.Contains(want, v.State) {
			d.f.violates(toldOnce, "%s: action %s ended as %s; the server has %d ends of it and says %s", d.id, e.action, e.state, n, v.State)
		}
	}
}

// judgeHerd judges the polls of a day from a moment on, by spans of time in which enough of
// them are to be expected.
func (f *sim) judgeHerd(from time.Duration) {
	mean := func(span time.Duration) float64 { return float64(f.n) * span.Hours() / pollEvery.Hours() }
	span := 18 * time.Minute
	if mean(span) < 250 {
		span = 72 * time.Minute
	}
	most := 0
	first, last := int(from/time.Minute), int((from+24*time.Hour)/time.Minute)
	for m := first; m+int(span/time.Minute) <= last; m++ {
		n := 0
		for i := m; i < m+int(span/time.Minute); i++ {
			n += int(f.polls[i].Load())
		}
		most = max(most, n)
	}
	bound := 1.5 * mean(span)
	if mean(span) < 250 { // so few are never even
		bound += 4 * math.Sqrt(mean(span))
	}
	f.herd = float64(most) / mean(span)
	if float64(most) > bound {
		f.violates(herd, "%d polls in %s, and the mean is %.0f", most, span, mean(span))
	}
}

// violates notes what an oracle has seen.
func (f *sim) violates(o oracle, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found[o] = append(f.found[o], fmt.Sprintf("%s %s", f.now().Format(time.DateTime), fmt.Sprintf(format, args...))); len(f.found[o]) > keepFound {
		f.found[o] = f.found[o][:keepFound]
	}
}

// keepFound is how much is shown of what an oracle has seen.
const keepFound = 5

func (f *sim) fail(format string, args ...any) { f.violates(broken, format, args...) }
