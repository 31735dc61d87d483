// Package disk changes files so that the change survives a power cut: it swaps a
// symlink, publishes a directory, writes a small file, deletes a tree. It knows
// nothing of versions or updates.
//
// # What it assumes of the file system
//
// POSIX, and no more. A write is on disk after fsync of the file (or syncfs), a
// name is on disk after fsync of its directory, and until then any part of
// either may be there or not. Rename replaces atomically: after a power cut the
// name leads to the old file or to the new one; it is always there. The package
// does not rely on the order that ext4 keeps by itself.
//
// # What it promises
//
// When a function here returns nil, its effect is on disk. When it returns an
// error, or the process is killed in it, the effect is there, not there, or
// there but not yet durable; calling it again repairs each of these, and no
// temporary name left behind ever stands in the way. A path has one writer:
// callers do not race each other for the same name.
//
// It never follows a symlink when it deletes, and never replaces a file or
// directory that is not its own to replace (ErrNotLink).
//
// Start with SwapLink (link.go), then tree.go for directories, sync.go for what
// makes them durable, and root.go for --root.
package disk
