// Package device is a device with the real updater on it, as a sweep.Bench.
//
// It is a directory that the updater takes for the device's / (--root), on
// machines of package trace, with two real services under the updater's own
// embedded manager. The laboratory runs an HTTP server for packages outside of
// the watched machine. A boot does the same as a device's: `recover`, then the
// services, then the daemon's part, `recover --finish`.
//
// Releases are small on purpose: a sweep installs one thousands of times, and
// every write is a point. Their programs are scripts whose interpreter is this
// very program, reached as /proc/1/exe, since it is PID 1 of every machine. They
// listen, answer health checks, and fail when their release says so.
//
// The rules that hold after a crash are in judge.go; flows.go has the flows.
package device
