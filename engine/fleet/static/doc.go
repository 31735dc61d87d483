// Package static is the fleet.Source of a signed channel: one small file on any web server,
// which says what to install (package channel; docs/channel.md has its rules and attacks).
//
// # What it promises
//
//   - Only what a channel key of this device has signed is the channel's word. Every other
//     answer is an error, and what was known before stays.
//   - What the channel offers has to be signed by a release key, whatever the device takes
//     otherwise, and has to have the version and the digest that the channel says. So a
//     stolen channel key leads neither to other code nor to a lower version.
//   - The facts of an Answer have what was signed, never the device's clock. They count
//     also when there is an error: what a revoked key has said is let go of.
//   - A channel that has not changed costs a 304. Of its content only what may concern
//     this device stays in memory, and no copy is on disk: a start asks for all of it.
//   - It tells nobody anything. All devices ask for the same file, so the server learns
//     their addresses and the version of their updater.
//
// Start at Source.Ask; fetch.go is the way to the file, facts.go what is remembered, and
// answer.go what follows from the file for this device.
package static
