// Package selfupdate tries whether a release can bring a new updater safely: it
// takes over before the commit, becomes the committed copy after it, and the old one
// comes back whatever is wrong with the new one, and whenever the power is cut. An
// updater from before all this follows the journal, too.
package selfupdate
