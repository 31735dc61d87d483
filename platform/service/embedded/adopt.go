package embedded

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/service"
)

// searchPatience is how long a process that holds the log's lock may take from
// its fork to the exec that gives it its marker.
const searchPatience = time.Second

// load reads the state file and adopts the process it names. mu is held.
func (u *unit) load() error {
	rec, err := readRecord(u.statePath, u.m.cfg.Clock.Boot())
	if err != nil {
		return err
	}
	u.rec = rec
	r := &u.rec
	if p := u.find(); p != nil {
		changed := r.Forking || r.PID != p.pid
		r.Forking, r.PID, r.Ticks = false, p.pid, p.ticks
		r.Active, r.Sub, r.Result = service.Running, "running", success
		if changed {
			u.save()
		}
		u.hold(p)
		u.log.Info("adopted", "pid", p.pid)
		return nil
	}
	died := r.PID != 0 || r.Forking && r.Started != 0
	r.PID, r.Ticks, r.Forking = 0, 0, false
	switch {
	case !r.Wanted:
		if r.Active != service.Broken {
			r.Active, r.Sub = service.Stopped, "dead"
		}
	case died:
		// No manager was there to learn how the process ended.
		r.Active, r.Sub, r.Result, r.ExitStatus = service.Broken, "failed", exitCode, -1
	case r.Active != service.Stopped && r.Active != service.Broken:
		r.Active, r.Sub = service.Broken, "failed" // Its automatic restart never came.
	}
	return nil
}

// find returns the main process of the service, if one runs. mu is held.
func (u *unit) find() *process {
	r := &u.rec
	if r.PID != 0 {
		if p, err := watchProcess(r.PID, r.Ticks, false); err == nil {
			return p
		}
	}
	for waited := time.Duration(0); waited <= searchPatience; waited += 10 * time.Millisecond {
		// The lock is checked before the marker, so that a child that appears
		// between the two checks is not missed.
		held := outputHeld(u.logPath)
		if !held && !r.Forking {
			return nil
		}
		leader, others := u.leader()
		if leader != nil {
			if p, err := watchProcess(leader.pid, leader.stat.ticks, false); err == nil {
				if !r.Forking || r.Started == 0 {
					r.Started = u.since(leader.stat.ticks)
				}
				return p
			}
		}
		if others || !held {
			return nil // Only remains of a run, or nothing at all.
		}
		// A process between fork and exec: it has the lock and no marker yet.
		<-u.m.cfg.Clock.After(10 * time.Millisecond)
	}
	u.log.Warn("an unknown process has this service's log open", "path", u.logPath)
	return nil
}

// leader is the oldest process of the service that leads its session, as fork
// makes the main process do; others tells whether the service has any process at all.
func (u *unit) leader() (leader *stray, others bool) {
	for _, s := range strays(u.marker) {
		others = true
		if s.stat.session == s.pid && (leader == nil || s.stat.ticks < leader.stat.ticks) {
			leader = &s
		}
	}
	return leader, others
}

// since converts a start time from /proc (ticks of 1/100 s since boot, suspend
// included) to CLOCK_MONOTONIC, for a process whose record was lost.
func (u *unit) since(ticks uint64) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // As if it had started at boot: it never passes for a new process.
	}
	age := time.Duration(now.Nano()) - time.Duration(ticks)*10*time.Millisecond
	return max(0, u.m.cfg.Clock.Monotonic()-age)
}

// missing reports whether the service is wanted, but neither runs nor is about to
// be restarted, and how many automatic restarts it has had if it is started now.
func (u *unit) missing() (restarts int, missing bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.rec.Wanted || u.proc != nil || u.retry != nil {
		return 0, false
	}
	if u.rec.Started == 0 {
		return 0, true // Never started in this boot.
	}
	return u.rec.Restarts + 1, true
}
