// Package systemd is the service manager of devices that run systemd. It talks
// to PID 1 over D-Bus: root over systemd's private socket, as systemctl does, and
// over the system bus where that can't be had or we are not root. So services can
// be put right before the bus is up, while it is restarted, and when it is broken.
//
// # What it relies on
//
// A job's end is announced by a signal, which can be lost: with the connection,
// or in a queue that is full. So the signal is only the quick way; the unit is
// also asked, twice a second, whether it still has the job. That a job is
// "done" says nothing of the service's health: programs that exit right after
// their start have a successful start job. The health gate looks at Status
// (Active, Sub, Restarts, Result, ExitStatus) over time, once it has settled.
//
// A unit that has hit its start limit refuses to start, which would keep a
// rollback from restoring the version that works; so what systemd remembers of
// failures is reset before every start.
//
// How long a start may take is systemd's to say, by the unit's TimeoutStartSec= and
// what the service asks for beyond it. The manager gives up only a start that
// systemd would never end (Config.StartBound).
//
// A unit that does not stop within its StopTimeout is killed, whatever its own
// TimeoutStopSec= says. That counts as a stop when nothing of the unit is left.
//
// # What it knows beyond one service
//
// Survey (survey.go) asks systemd in which order units are started, which
// sockets, timers and paths would start one, and which units are stopped with
// it. Inhibit and Stopping (login.go) speak with logind, where there is one:
// systemd calls itself "stopping" only once logind has waited for all who asked.
//
// Nothing is kept but a connection. It is made at first use, again when it
// broke, and shared by all goroutines. While it cannot be had, calls fail with
// service.ErrUnavailable.
//
// Start at manager.go; jobs are in job.go, the translation of errors in errors.go.
package systemd
