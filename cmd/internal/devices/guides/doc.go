// Package guides tries whether the guides are right. It plays the commands of the
// English guides, in the order of the tour, on one Debian with a real systemd
// that begins without the updater: a device's first months. It compares the
// output with the guide's. Package guidetest says how a guide marks the commands
// to play; GUIDES_VERBOSE=1 shows everything that is printed.
package guides
