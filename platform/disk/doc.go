// Package disk does to files what must survive a power cut: swap a symlink,
// publish a directory, write a small file, delete a tree. It knows nothing of
// versions or updates.
//
// # What it assumes of the file system
//
// POSIX, and no more. A write is on disk after fsync of the file (or syncfs), a
// name is on disk after fsync of its directory, and until then any part of
// either may be there or not. Rename replaces atomically: after a power cut the
// old name's target or the new one's is found, never neither. That ext4 orders
// some of this by itself is not relied upon.
//
// # What it promises
//
// When a function here returns nil, its effect is on disk. When it returns an
// error, or the process is killed in it, the effect is there, not there, or
// there but not yet durable; calling it again mends every one of these, and no
// temporary name left behind ever stands in the way. One writer a path: callers
// do not race each other for the same name.
//
// It never follows a symlink when it deletes, and never replaces a file or
// directory that is not its own to replace (ErrNotLink).
//
// Start with SwapLink (link.go), then tree.go for directories, sync.go for what
// makes them durable, and root.go for --root.
package disk
