// Package figures measures what the updater costs a device: the table that the
// README quotes. It has no code but its benchmark, run by
//
//	make bench
//	make bench FIGURE=recover
//
// Everything measured is the real thing: the programs as they are shipped, on a
// device below a temporary directory, fed by HTTP over loopback. Each figure is
// a ratio against a floor, which is the least that the job could cost (the same
// work done bare, two fdatasyncs, a constant answer), measured in the same run;
// the two take turns, so that other load on the machine meets both, and their
// medians are compared. The ratio can be compared between machines; the absolute
// values stand beside it.
//
// Machines vary, so a figure that misses its aim is printed as "over" and fails
// nothing. The temporary directory must be on a disk: TMPDIR says where.
//
// Start at figures_test.go, which lists the figures; lab_test.go has the device
// they are taken on.
package figures
