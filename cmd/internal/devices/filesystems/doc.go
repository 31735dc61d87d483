// Package filesystems plays the whole program on the file systems that a device may
// have, and on the layouts of them: versions in the lower layer of an overlay, a
// read-only bin, state in memory, directories that are links or mounts of their own.
//
// Each row of the table is a device (rows_test.go) on which the same life is played
// (life_test.go): both kinds of bundle, a second build of a version, a bad release, the
// ways back, the clean-ups, a kill and a power cut. The table in docs/DEPLOYMENT.md is
// what was played (package claims). Nothing is booted: the services run under the
// embedded manager, the file systems are in files.
package filesystems
