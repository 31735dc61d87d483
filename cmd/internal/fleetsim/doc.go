// Package fleetsim lets thousands of devices live for weeks in one process: each has the
// real engine and the real loop of a fleet, on a device made of maps, and asks a signed
// channel or hawkBit (the strict fake of dditest). Time is that of a bubble of
// testing/synctest, so that a month passes in minutes; a bubble exists in a test only, and
// so all of this package is in its tests.
//
//	make fleet DEVICES=10000 DAYS=30 SEED=1
//
// A seed draws the faults: servers that are down for hours, answers that are lost after the
// server has acted, 429 with Retry-After, old and forked channel files, clocks that are
// wrong after a boot, power cuts between any two effects, a release that is bad on one
// hardware, and operators that hold devices back. In the middle, all devices lose their
// power in one moment.
//
// # What is watched
//
//   - Each end of an update for hawkBit is told, and counts once at the server; a success
//     is told only of what that device's journal has committed.
//   - No device begins with a release before its place in the rollout is reached, and none
//     installs while its own window is shut or its operator holds it back.
//   - A bad release reaches no more than the share that its rollout had when it was halted.
//   - After all devices were started in one moment, the polls of a span of time are at most
//     one and a half of their mean.
//   - Every device arrives at the good release in the end.
//
// Each of these is also seen to bite, on fleets whose devices have a planted fault:
// planted_test.go. Start reading at fleet_test.go.
package fleetsim
