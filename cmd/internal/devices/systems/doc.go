// Package systems tries whether the updater does on other systems what it does on
// the usual one. A machine of each suite of Debian plays one table: the package,
// updates of both kinds, a bad release, rollback, snapshots, removal of versions,
// power cuts, old system calls, upgrade and removal. The daemon does it in the
// sandbox of its unit, which each systemd reads in its own way.
//
// The guide's table of systems is made from what is shown here: package
// cmd/internal/claims. "make test" plays the oldest and the newest suite of it,
// "make matrix" all of them, or those of SUITES; with UPDATE=1 it writes the table.
package systems
