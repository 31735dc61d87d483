// Package daemon tries whether the daemon does its work as it is shipped: in the
// sandbox, with the memory limit, the watchdog, the socket and the rescue unit of
// deploy/systemd; and whether an update survives a daemon that is killed or hangs,
// and a bus that restarts.
package daemon
