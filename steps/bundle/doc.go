// Package bundle shows every bundle format to the steps in one form: a release with
// its version, and the entries that it consists of. The format in legacyzip is the
// legacy ZIP package. To add a format, implement Format and name it where the steps
// are wired together.
//
// # What a format promises
//
// A bundle that was opened is acceptable as a whole: its paths pass CheckPath,
// its link targets CheckTarget, no two of its entries collide (Tree), and its
// declared sizes and counts keep the Limits. The format enforces these declarations
// while the bundle is read: an entry never yields more bytes than its Size, and
// reading ends in an error when it yields fewer, or when its checksum is wrong. The
// steps still write through os.Root and create with O_EXCL: a format that breaks its
// promise fails the update, but does not write outside the staging directory.
//
// Formats hold no state for each entry beyond a few words, because a device
// that updates may have very little memory: entries are walked, not collected.
//
// Every refusal is a *steps.Error of class Refused. Errors of the disk that has
// the bundle are Local.
package bundle
