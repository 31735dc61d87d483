// Package releaseunits tries, on a booted systemd, what a release brings with
// it beside its programs: unit files that change, come and go with it, through
// updates, rollbacks and power cuts; and how an update reads in systemd's
// journal. It has tests only.
package releaseunits
