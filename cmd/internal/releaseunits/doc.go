// Package releaseunits tries, on a booted systemd, the unit files of a release:
// they change, come and go with it, through updates, rollbacks and power cuts. It
// also tries how an update reads in systemd's journal. It has tests only.
package releaseunits
