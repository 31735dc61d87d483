// Package versions keeps the versions of the device's software: the directories
// vX.Y.Z, the three pointers and the marker beside them, and the links from
// outside that go through current.
//
//	versions/v1.0.0/.tope-manifest.json   one version; what is in it, with digests
//	versions/current -> v1.0.0            the pointers
//	versions/.uncommitted -> v1.0.0       the marker: a gate is owed, and where to return to
//	versions/.staging-ID/                 a version in the making, of update ID
//	versions/.trash-v0.9.0-0/             a version being deleted
//
// # What it promises
//
// A directory vX.Y.Z made by Publish is whole and on disk from the moment it
// bears that name to the moment it loses it. Pointers are replaced, never
// unlinked and made again. Nothing a pointer or the marker leads to is trashed.
// Every method may be cut at any instant and called again.
//
// # What it never does
//
// It does not know what an update is, starts no program, and changes nothing
// inside a published version. It does not lock: the holder of the journal's
// lock is the one writer. Readers (Pointers, State, List) may run at the same time.
//
// Start with Store (store.go) and Publish (publish.go); manifest.go has the
// format of .tope-manifest.json.
package versions
