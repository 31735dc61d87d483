// Package guidetest reads the guides in docs/ for the tests of them: of what is
// written (cmd/internal/guides) and of what their commands do on a device
// (cmd/internal/devices/guides).
//
// # How a guide marks what is run
//
// A fenced block "sh run" is run as root in /root. When a line of it begins
// with "$ ", each such line is a command, and what stands below it is what it
// prints: "…" stands for any text in a line, a line "…" for any lines. Without
// such a line the block is a script that has to succeed. "sh run exit=12" tells
// the exit code of the last command, "sh run fresh" that the block is played on a
// device of its own, and "sh run there" on the last of those.
//
// What readers need not see is in comments:
//
//	<!-- run
//	commands
//	-->
//	<!-- power cut -->
//	<!-- not run: why -->
//
// A power cut kills the machine and boots it again. A block "sh" that is not
// run has to say why in the comment before it.
package guidetest
