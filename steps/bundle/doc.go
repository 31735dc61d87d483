// Package bundle shows every bundle format to the steps in one form: a release
// that says its version, and the entries that make it up. The legacy ZIP
// package is the format in legacyzip; a format is added by implementing Format
// and naming it where the steps are wired together.
//
// # What a format promises
//
// A bundle that was opened is acceptable as a whole: its paths pass CheckPath,
// its link targets CheckTarget, no two of its entries collide (Tree), and what
// it declares keeps the Limits. What it declares is enforced while it is read:
// an entry never yields a byte more than its Size, and one that yields fewer,
// or other bytes than its checksum says, ends in an error. The steps still
// write through os.Root and create with O_EXCL: a format that breaks its
// promise fails the update; it does not escape from the staging directory.
//
// Formats hold no state for each entry beyond a few words, because a device
// that updates may have very little memory: entries are walked, not collected.
//
// Every refusal is a *steps.Error of class Refused. Errors of the disk the
// bundle lies on are Local.
package bundle
