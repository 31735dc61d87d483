// Package trust knows the keys that a device trusts to sign releases, and checks
// minisign signatures with them. The program minisign makes the same files.
//
// # What is in the key directory
//
//	NAME.pub                 a public key that may sign releases
//	root/NAME.pub            an offline root key: it signs keys.json, never releases
//	root/threshold           how many root keys have to sign; without it, 1
//	keys.json                the keys that may sign releases, put there by hand
//	keys.json*.minisig       its signatures by root keys
//	keys.signed              a newer keys.json with its signatures, put there by Update
//
// Other files are ignored. Symlinks to regular files are followed.
//
// # What it promises
//
// It fails closed. Anybody is trusted in one case only: the directory is empty or
// absent (Keys.Open). A file that cannot be read, parsed or checked is an error of
// Load, never a key fewer: a device that lost a file must not trust more than
// before. Keys without a key verify nothing.
//
// A root signature counts once for each distinct public key: neither two files
// with one key, nor one key under two key ids, nor two signatures by one key
// reach a threshold of two.
//
// Both keys.json and keys.signed have to be sound; the one with the higher
// serial is in force. Of a key in it that is also a file of its own, keys.json
// has the last word: revoked there is revoked.
//
// Each file is read once, and what was checked is what is used.
//
// # Time
//
// Before 2024 the clock of a device has not been set yet. Then not_before,
// not_after and expires are not judged, or a device without a battery could not
// be updated until it finds a time server. Revocation needs no clock and
// always holds.
//
// # What is on disk if the power goes
//
// Update replaces keys.signed by a rename of a file that was synced: until then
// the old keys.json is in force with its signatures, from then on the new one
// with its own. Both are one file, so that they never meet each other's. What
// was placed by hand is never touched.
//
// Start at Policy, which says whose releases a device installs, then Load and
// Keys.Verify; keysjson.go has the format of keys.json.
package trust
