// Package trust knows the keys that a device trusts to sign releases, and those that it
// trusts to sign channels, and checks minisign signatures with them. The program minisign makes the same files.
//
// # What is in the key directory
//
//	NAME.pub                 a public key that may sign releases
//	channel/NAME.pub         a public key that may sign channels, and never a release
//	root/NAME.pub            an offline root key: it signs keys.json, never releases
//	root/threshold           how many root keys have to sign; without it, 1
//	keys.json                further keys, each for releases or for channels, put there by hand
//	keys.json*.minisig       its signatures by root keys
//	keys.signed              a newer keys.json with its signatures, put there by Update
//
// Other files are ignored. Symlinks to regular files are followed.
//
// # What it promises
//
// The package fails closed. Anybody is trusted in one case only: the directory is
// empty or absent (Keys.Open). When a file cannot be read, parsed or checked, Load
// returns an error; it never goes on with fewer keys, because a device that lost a file
// must not trust more than before. A Keys without keys verifies nothing.
//
// A root signature counts once for each distinct public key: neither two files
// with one key, nor one key under two key ids, nor two signatures by one key
// reach a threshold of two.
//
// Both keys.json and keys.signed have to be sound; the one with the higher serial is in
// force. When a key is in it and also in a file of its own, the entry in keys.json
// decides: a key that is revoked there is revoked.
//
// Each file is read once, so the bytes in use are those that were checked.
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
// Update replaces keys.signed by a rename of a file that was synced. Before the rename
// the old keys.json is in force with its signatures, after it the new one with its own.
// A keys.json and its signatures are in one file, so that one never meets the
// signatures of another. Update never touches the files that were placed by hand.
//
// Start at Policy, which says whose releases a device installs, then Load and
// Keys.Verify; keysjson.go has the format of keys.json.
package trust
