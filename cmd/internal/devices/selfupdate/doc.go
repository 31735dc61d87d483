// Package selfupdate tries whether a release can bring a new updater safely: it
// takes over before the commit, and becomes the committed copy after it. The old
// one comes back whatever fault the new one has, and whenever the power is cut.
// An updater from before takeovers can still use the journal.
package selfupdate
