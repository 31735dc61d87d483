// Package guidetest reads the guides in docs/ for two kinds of tests: those of
// the text (cmd/internal/guides), and those of the commands, which run on a
// device (cmd/internal/devices/guides).
//
// # How a guide marks commands to run
//
// A fenced block "sh run" is run as root in /root. When a line of it begins with
// "$ ", each such line is a command, and the lines below it are its output: "…"
// stands for any text in a line, a line "…" for any lines. Without such a line
// the block is a script that has to succeed. "sh run exit=12" gives the exit code
// of the last command. "sh run fresh" plays the block on a device of its own, and
// "sh run there" on the last such device.
//
// Parts that readers need not see are in comments:
//
//	<!-- run
//	commands
//	-->
//	<!-- power cut -->
//	<!-- not run: why -->
//
// A power cut kills the machine and boots it again. A block "sh" that is not run
// needs a comment before it with the reason.
package guidetest
