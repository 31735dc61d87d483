// Package plant breaks the updater's order on purpose: the laboratory is only
// believed about a good program because it finds what is wrong with a bad one.
//
// A Bug is a textual edit of one place in a copy of the source, and names the
// mode that must find it. An edit that does not apply, because the source has
// changed, or does not compile, is an error: nothing has been shown then.
package plant
