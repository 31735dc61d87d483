// Package plant breaks the updater's order on purpose: the laboratory's word on a
// good program counts only because it finds the faults of a bad one.
//
// A Bug is a textual edit of one place in a copy of the source, and names the
// mode that must find it. An edit that does not apply, because the source has
// changed, or does not compile, is an error: it shows nothing.
package plant
