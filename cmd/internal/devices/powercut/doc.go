// Package powercut tries whether a power cut at any instant of an update leaves
// the device on one whole version. From there the update goes on or back as the
// table says, and the next update works. The cuts come at the gate, at every
// state, again during recovery, and too often. It also tries whether an
// operator's reboot or visit to the rescue shell is a cut like any other. Cuts of
// a self-update are package selfupdate's.
package powercut
