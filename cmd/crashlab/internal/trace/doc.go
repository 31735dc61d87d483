// Package trace runs an unmodified program in a machine that can lose its
// power at any system call.
//
// A Machine is a PID namespace of its own: this program's stub is its PID 1, and
// the other processes are the program under test and its children. When the stub
// is killed the kernel kills all the others with it, at once, as a power cut
// does. The next Machine has another PID 1 with another start time, which tells a
// program that this is another boot.
//
// The stub installs a seccomp filter that stops every call that changes a file
// system before it is carried out, and asks the Handler for a verdict: let the
// call be, make it fail with an errno, cut the power before it, or let half of a
// write through and cut the power then. Children inherit the filter, and it
// applies to all threads, so there is one sequence of calls over the whole
// machine, in the order in which they were about to happen. The program under
// test needs no hooks and cannot tell.
//
// A bare number does not name a call: a Go program's calls interleave
// differently from run to run. Namer names them by operation, class of path and
// ordinal: "rename versions/current #1".
//
// Stores into shared writable mappings cannot be seen. Making such a mapping of a
// file in the watched tree is reported as the call "mmap", so that the laboratory
// can refuse the program.
//
// Linux on amd64, as root. Start reading at Boot.
package trace
