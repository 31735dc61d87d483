// Package sweep breaks a device in every way it can, one way at a time, and
// has each result judged.
//
//   - Kill cuts the power at each call that changes the device, whole or with
//     half of a write let through.
//   - Pairs cuts it once more, at each call of the recovery that follows.
//   - Errno makes each call fail.
//   - Lose replays a recording through package model and tries what a power cut
//     may have left on the disk at each call.
//   - Relapse does the same with the recovery that follows a power cut, and Killed
//     with the program that follows one that was killed: the page cache has what that
//     one wrote, the disk what it synced.
//
// The Bench knows the device, and what must hold of it afterwards; this package
// knows calls, seeds and counts. Calls are named by
// trace.Namer; a sweep takes the first name it meets that was not tried yet,
// and ends at the first run that meets none. So a call that only some runs make
// is tried when a run makes it, and no call is tried twice.
//
// A Violation does not stop a sweep: the device is kept as the crash left it,
// and the report says where and how to see it again. An error of the laboratory
// does stop it.
//
// Start reading at Bench.
package sweep
