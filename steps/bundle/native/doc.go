// Package native is the format of a signed release, the .tope bundle: its parts,
// their places, and the rules they keep. docs/bundle-format.md specifies it byte
// by byte.
//
// A bundle is a plain tar. Its first two members are the head: the release file,
// compressed, and its minisign signature. The head has everything a device needs to
// accept or refuse a release. It also names every other member of the bundle with its
// length and SHA-256. The place of a payload member follows from the lengths before it,
// so members cannot overlap, leave gaps, or be addressed beyond the end. A device
// ignores members that the head does not name: it never reads a tar header after the
// head.
//
// A file's content can be had in three ways: from the solid member, which has
// every file one after the other and serves a device that has nothing to reuse;
// from a member of its own; or from a patch against a content that an earlier
// release had.
//
// This package is pure: it reads its input, holds no state, and knows neither keys nor
// network. It trusts no input: a release or head that ParseRelease and ReadHead return
// keeps every rule. Start at Head.
package native
