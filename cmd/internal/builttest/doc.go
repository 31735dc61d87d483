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
// A program is linked once for a state of the source, however many packages ask
// for it, and lies below the user's cache directory afterwards. Each checkout has
// its own. A test that asks for a program runs again when any file of the source
// has changed: the go command knows which files a test opens, but not which files
// a compiler opens that the test starts.
package builttest
