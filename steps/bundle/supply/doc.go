// Package supply decides, on a device, where each content of a native bundle's
// release comes from: from a version that is installed (by its SHA-256, as that
// version's manifest has it), from a patch against a content of such a version,
// from a member of its own, or, when that is less to download, everything from
// the solid member.
//
// # The two sides
//
// Planner is Download's: it judges the head (signature, product, hardware,
// epoch, expiry, quarantine, room) before the first byte of payload is asked
// for, decides, writes the decision to the work directory (plan.json) and says
// which pieces of the bundle are to be fetched. Format is Verify's and
// Extract's: it opens what Download left, reads head and plan, and yields the
// files.
//
// # What is on disk
//
// WorkDir/bundle is the bundle with holes: head and fetched pieces lie where
// they lie in the published file. The plan is durable before Download asks for
// a piece, so that a piece is never there without it.
//
// A version's manifest is trusted for planning only. Each content is hashed while it
// is written, wherever it comes from. A content that comes from the device and has
// another hash is noted in lacking.json, and the update goes back to Downloading to
// fetch the content's own member. Planner changes the plan first and then removes the
// note; it may be cut between the two.
//
// Start at Planner.Plan and Format.Open.
package supply
