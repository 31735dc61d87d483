// Package journal is the device's memory: every update, step by step, with what
// was seen, tried and decided, and when, in one bbolt file. It is written for
// people who ask afterwards what happened, and for recovery, which asks at every
// start where the device stands.
//
// # What it promises
//
//   - When Append returns without an error, the records are on disk, with the state
//     they lead to, in one transaction: after a power cut both are there or neither.
//   - A record is never changed once it is written. The oldest updates are deleted
//     whole; State keeps what must outlive them.
//   - A record that was altered, lost or moved is noticed: each carries a
//     checksum over itself and the checksum of the one before.
//   - A damaged file ends neither the process nor the device's life: it is kept
//     under another name, what can be saved is saved, a new journal begins, and
//     its first record says so. A journal never begins again silently.
//   - Records and fields of a newer program are kept byte for byte and skipped.
//   - Once made, the file has room for all it will hold (Options.Preallocate): a
//     full disk does not stop it.
//
// After an error from a write, the content of the disk is unknown. The journal is
// then poisoned (ErrPoisoned): close it, open it again, and go by its State.
//
// # How to use it
//
// Open is for the only writer (it takes an exclusive lock); OpenReader gives any
// reader a copy. State is the fold over all records (Apply), an immutable snapshot
// that costs nothing to look at; Records and Updates read the file. Notes are small
// values outside the chain that a step overwrites as it goes; they are deleted with
// their update.
//
// # The file
//
// Five buckets, in pages of 4 KiB; docs/journal.md has the format byte by byte:
//
//	records  sequence, 8 bytes big-endian → record
//	updates  sequence of the record that opened it → update id
//	notes    update/step → note
//	summary  a recent State, from which Open folds the few records behind it
//	anchor   the State before the oldest record, from which the chain and the
//	         fold start
//
// Every value but an update id is laid out alike:
//
//	offset  size
//	     0     1  format: 1
//	     1    32  SHA-256 over the sum before it, its key, the format, the payload;
//	              a record takes the sum of the record before it, other values
//	              take 32 zeros
//	    33     -  payload: JSON; a note's is its writer's
//
// # What it assumes
//
// The disk has what fdatasync said it has, and reading a 4 KiB page does not alter
// it. The package does not assume that a write is atomic, nor that unsynced writes
// reach the disk in any order.
//
// Start reading at record.go and update.go (what is kept), fold.go (what it
// means), then append.go, open.go, image.go (reading without bbolt).
package journal
