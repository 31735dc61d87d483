// Package guides checks the guides in docs/ against what the program does.
//
// The commands of the English guides are run, in order, on one Debian with a
// real systemd (platform/service/systemdtest) that begins without the updater:
// a device's first months. Their output is compared with the guide's. The
// Chinese guides must have the same commands, links must lead somewhere, and a
// guide in one language must have its counterpart in the other.
//
// # How a guide marks the blocks to run
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
//
// GUIDES_VERBOSE=1 shows all that is printed.
//
// There is nothing here but tests.
package guides
