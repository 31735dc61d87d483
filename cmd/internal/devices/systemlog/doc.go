// Package systemlog tries how an update reads in systemd's journal, with its
// fields and its catalog, and whether an update needs anybody to read its log: the
// journal hangs, is stopped, or was never there.
package systemlog
