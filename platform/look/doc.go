// Package look tells what is on a device now. The doctor, the health gate,
// recovery, the status and the links verb all ask here, so that they see the
// same thing: a pointer that is strange to one of them is strange to all.
//
//	pointers    pointers.go    the three pointers, the target of a strange one, the marker,
//	                           and the state of each version they lead to
//	links       links.go       the links outside versions/, compared with the current version
//	versions    versions.go    files that changed after a version was published, stray links
//	services    services.go    what the service manager says of a service
//	origins     origin.go      from which versions a service runs; trace.go: one process of it
//	unit files  units.go       a unit's files and drop-ins, and what they set
//	paths       resolve.go     where a path would lead if current led to another version
//	users       access.go      which user may reach such a path
//	needs       launch.go      what a start of a service needs, and whether it would be there; script.go: what an
//	                           interpreter is certain to execute
//	sandboxes   sandbox.go     what a process with mounts of its own does not see or may not write
//	processes   processes.go   who writes into a version, who listens on a port
//	programs    program.go     what a process executes
//	locks       locks.go       who holds a lock, and which file a process has open
//	owners      owners.go      who owns a path or a tree, and who else may write to it
//
// Room on a disk has one place already: disk.Available and disk.Preflight.
//
// # What it promises
//
// Facts and no verdicts: whether a fact is good, and what to do about it, is for
// the caller to say. Nothing is remembered between two looks, and nothing is
// changed, made or started. All functions are safe for concurrent use.
//
// Start at pointers.go.
package look
