package static

import (
	"encoding/json"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/steps/bundle/channel"
)

// facts are what outlives a start of the updater.
type facts struct {
	Memory channel.Memory `json:"memory"`
	// Ran is how long the device had been running since it saw the latest signed time,
	// when it had been up for Uptime in Boot. It is the clock of a device without one.
	Ran    time.Duration `json:"ran_ns,omitempty"`
	Boot   string        `json:"boot,omitempty"`
	Uptime time.Duration `json:"uptime_ns,omitempty"`
	// lost says that what was remembered cannot be read.
	lost bool
}

// recall reads facts. When they are damaged the device begins anew: a device that takes
// no channel any more would be worse, and the file's own expiry still holds.
func recall(text json.RawMessage) (f facts) {
	if len(text) > 0 && json.Unmarshal(text, &f) != nil {
		return facts{lost: true}
	}
	return f
}

// ran is how long the device has been running since it saw the latest signed time, up to
// now. Of an earlier boot only what was written down counts.
func (f facts) ran(boot string, uptime time.Duration) time.Duration {
	if boot == f.Boot && uptime >= f.Uptime {
		return f.Ran + uptime - f.Uptime
	}
	return f.Ran + uptime
}

// time is that by which the channel is judged. A clock that is before what was signed
// last is wrong: then it is that time, and how long the device has been running since.
func (f facts) time(m channel.Memory, q fleet.Question, cfg Config) time.Time {
	clock, issued := q.Clock, m.Issued()
	if clock.Before(issued) {
		clock = issued
		if issued.Equal(f.Memory.Issued()) {
			clock = issued.Add(f.ran(cfg.Clock.Boot(), q.Uptime))
		}
	}
	return m.Time(clock, cfg.Build)
}

// noted is how much of its running time a device without a clock may lose by a cut.
const noted = time.Hour

// facts are what has to be remembered now; nil when nothing has changed.
func (r *round) facts() json.RawMessage {
	boot := r.cfg.Clock.Boot()
	next := facts{Memory: r.memory, Boot: boot, Uptime: r.q.Uptime}
	issued := r.memory.Issued()
	same := issued.Equal(r.known.Memory.Issued())
	if same {
		next.Ran = r.known.ran(boot, r.q.Uptime)
	}
	unset := r.q.Clock.Before(issued)
	if same && equal(r.memory, r.known.Memory) && (!unset || next.Ran-r.known.Ran < noted) {
		return nil
	}
	text, _ := json.Marshal(next) // numbers, times and strings
	return text
}

func equal(a, b channel.Memory) bool {
	one, _ := json.Marshal(a)
	two, _ := json.Marshal(b)
	return string(one) == string(two)
}
