// Package background runs work that can wait on a thread of low priority.
//
// Fetching, hashing and unpacking a release keep a processor busy for as long
// as they are allowed to, while the device's services serve and its updater
// answers polls. Run gives such work a thread of its own, which gives way to the
// other threads. Run is not for work that a service waits for: stopping,
// switching, starting, looking.
package background

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Niceness is the priority of background threads, from -20 to 19; programs have
// 0 unless told otherwise. A thread at 10 gets about a tenth of the time that a
// competing thread at 0 gets (sched_prio_to_weight in the kernel's sched/core.c:
// 110 of 1,024), and all the time that no other thread uses.
const Niceness = 10

// Run calls f on a thread of low priority and returns what it returned.
//
// The thread ends with f. Without privileges a lowered priority cannot be raised
// again, and Go would run other goroutines on the slow thread. Goroutines that f
// starts run on ordinary threads.
func Run(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: see above
		// Where this is forbidden, the work is done at ordinary priority.
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), Niceness)
		done <- f()
	}()
	return <-done
}
