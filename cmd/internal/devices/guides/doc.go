// Package guides tries whether the guides do what they say: the commands of the
// English guides are played, in the order of the tour, on one Debian with a real
// systemd that begins without the updater, a device's first months. What a guide
// shows as their output is compared. Package guidetest says how a guide marks what
// is played; GUIDES_VERBOSE=1 shows all that is printed.
package guides
