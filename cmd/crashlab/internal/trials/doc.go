// Package trials puts the real program, with real services on a real file
// system, through what a device's storage does to it:
//
//   - a disk that is full, at every level of fullness until an update fits
//     (full_test.go)
//   - a journal damaged in every way its format knows, in every state of an
//     update (damage_test.go has the ways, states_test.go keeps the states,
//     standing_test.go stops an update in each, lost_test.go is the trial)
//
// Package sweep finds out what power cuts do, and each package's own tests find
// out what its functions do with an error. The trials ask the questions of a
// device's owner: does it run one whole version, does it say what happened, does
// the next update work? Start with lab_test.go, which is the device and its owner.
//
// There is nothing here but tests. They need root, for loop devices.
package trials
