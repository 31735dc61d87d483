// Package guides checks what is written in README and docs/: links lead somewhere,
// a page in one language has its counterpart in the other with the same commands
// and sections, and a block of commands that is not played says why. Package
// cmd/internal/devices/guides plays the commands. There is nothing here but tests.
package guides
