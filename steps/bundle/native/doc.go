// Package native is the format of a signed release, the .tope bundle: its parts,
// their places, and the rules they keep. docs/bundle-format.md specifies it byte
// by byte.
//
// A bundle is a plain tar. Its first two members are the head: the release file,
// compressed, and its minisign signature. Everything a device needs to know to
// accept or refuse a release is in the head, and everything else in the bundle
// is named there with its length and SHA-256: where each payload member lies
// follows from the lengths before it, so that members cannot overlap, leave
// gaps, or be addressed beyond the end. What the head does not name does not
// exist: a device never reads a tar header behind the head.
//
// A file's content can be had in three ways: from the solid member, which has
// every file one after the other and serves a device that has nothing to reuse;
// from a member of its own; or from a patch against a content that an earlier
// release had.
//
// This package is pure: it reads what it is given, holds no state, and knows
// neither keys nor network. It trusts nothing: what ParseRelease and ReadHead
// return keeps every rule, whoever wrote it. Start at Head.
package native
