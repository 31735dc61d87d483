// Package powercut tries whether a power cut at any instant of an update leaves
// the device on one whole version, from which it goes on or back as the table says
// and takes the next update: at the gate, at every state, again during recovery,
// too often; and whether an operator's reboot or visit to the rescue shell is a cut
// like any other. Cuts of a self-update are package selfupdate's.
package powercut
