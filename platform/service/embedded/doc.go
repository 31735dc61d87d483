// Package embedded is a service manager for hosts without systemd: containers,
// development, the demo. It runs programs itself, each in a session of its own,
// restarts those that die, and reports in systemd's words.
//
// # What outlives what
//
// Services outlive their manager. Close, a crash and SIGKILL of the updater
// leave them running; the next manager of the same run directory re-adopts them
// by process id and start time, which together name a process for as long as
// the machine is up. So a command-line install without a daemon works too: it
// starts services, ends, and a daemon that comes later adopts them.
//
// Services are restarted only while a manager is open. Supervise, which the
// daemon calls at its start, makes up for the time before.
//
// # The state file
//
// RUNDIR/NAME.json says of each service whether it is wanted, and which process
// it runs as. It is replaced by rename, so that a reader finds the old or the
// new one, but not synced: it only has to outlive the updater, not the power.
// After a power cut no process is left that it could describe, and a file from
// another boot, or one that cannot be read, counts as absent.
//
// A service is wanted from the moment Start or Restart is called until Stop is
// called. At a boot every service is wanted, whatever was called before, as an
// enabled unit of systemd is.
//
// # A crash between fork and the state file
//
// A crash at this point must not leave a copy running that no manager knows of.
// Three things prevent that:
//
//   - before the fork the state file says that a start is under way and when
//     it began, so that the next manager knows to look;
//   - the log file, open as the program's output, is locked (flock) before the
//     fork. The lock belongs to the open file, which the child shares from its
//     first instant, even before exec: as long as the lock is held there is a
//     process, and when it is free there is none;
//   - the program's environment carries TOPE_SERVICE=NAME@RUNDIR, by which the
//     process is found in /proc, and with it every process it has forked.
//
// The same marker finds, at a stop, processes that have left the session.
//
// # What it does not do
//
// No limits, no other user, no dependencies (the caller orders), no readiness
// protocol: a service has started when its program has been executed. The exit
// status of an adopted process cannot be learnt, since only a parent is told:
// it is reported as -1. As PID 1 of a container the updater needs an init (tini,
// docker --init) above it to collect orphans.
//
// Start reading at manager.go; unit.go is the life of one service, adopt.go the
// return of a manager, process.go and stray.go what is asked of /proc.
package embedded
