// Package builttest builds the programs that tests start as processes of their
// own: the updater, the publisher's program, the crash laboratory, and the
// fixtures' services.
//
//	path := builttest.Updater(t, "v1.0.0")
//	services := builttest.Services(t)
//
// They are built as they are shipped: static, stripped, without the race
// detector, with the flags of the Makefile, so that the compiler's cache is
// shared with "make build".
//
// # What it promises
//
// A program is linked once for a state of the source, whatever number of
// packages ask for it, and lies below the user's cache directory afterwards. Each
// checkout has its own. A test that asks for a program is run again when any
// file of the source has changed: the go command knows what a test opens, but
// not what a compiler that the test starts opens.
package builttest
