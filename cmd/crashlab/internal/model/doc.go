// Package model says what a file system may hold after a power cut, by the weakest reading
// of POSIX: each change that was not synced may be there or not, in any combination.
//
// An FS is loaded from a directory, all of it durable, and then follows a
// recording call by call. At any point States lists the states that a cut at that
// instant may leave, and Build makes one of these states on a real file system,
// so that a real program can be started on it.
//
// The rules:
//
//   - A directory has durable entries and a queue of changes. Any prefix of the
//     queue may have landed. A rename within a directory is one change; across
//     directories it is two, which land separately.
//   - A file has durable bytes and a queue of writes. None of them may have
//     landed, all, a first few, the last one by half, or only the new size, with
//     zeros in it. When they go over bytes that were durable, as a database's
//     do, any subset may have landed.
//   - Permission bits that were changed may be the old ones or the new.
//   - fsync of a file makes its bytes and bits durable, but not its name; of a
//     directory, its entries, but not what is behind them. fdatasync leaves the
//     bits. syncfs makes everything durable. Nothing else does.
//
// This is weaker than any file system in use: ext4, for one, orders a rename
// after the data in many cases. A program that survives the model survives them
// all; a state on which it fails need not be reachable on a given disk.
//
// After a recording, Same compares the model's live view with the real tree.
// They differ when a call was missed or misunderstood; then the model proves
// nothing.
//
// Start reading at FS.
package model
