// Package systemd is the service manager of devices that run systemd. It talks
// to PID 1 over D-Bus: over the system bus, or, where the bus is down and we are
// root, over systemd's private socket, so that services can be put right while
// D-Bus itself is broken.
//
// # What it relies on
//
// A job's end is announced by a signal, which can be lost: with the connection,
// or in a queue that is full. So the signal is only the quick way; the unit is
// also asked, twice a second, whether it still has the job. That a job is
// "done" says nothing of the service's health: programs that exit right after
// their start have a successful start job. The health gate looks at Status
// (Restarts, Result, ExitStatus) over time.
//
// A unit that has hit its start limit refuses to start, which would keep a
// rollback from restoring the version that works; so what systemd remembers of
// failures is reset before every start.
//
// Nothing is kept but a connection. It is made at first use, again when it
// broke, and shared by all goroutines. While it cannot be had, calls fail with
// service.ErrUnavailable.
//
// Start at manager.go; jobs are in job.go, the translation of errors in errors.go.
package systemd
