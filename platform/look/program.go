package look

import (
	"os"
	"path/filepath"
	"strings"
)

// Executable is what a process executes.
type Executable struct {
	// Path is where its file is, or was.
	Path string
	// Deleted: no name leads to the file any more; another may be at Path.
	Deleted bool
	// Same: the file at Path is the one that the process executes.
	Same bool
}

// ProgramOf tells what a process executes. It fails for a process that has ended, for
// a thread of the kernel, and for another user's process unless this one is root's.
func ProgramOf(pid int) (Executable, error) {
	exe := proc(pid, "exe")
	path, err := os.Readlink(exe)
	if err != nil {
		return Executable{}, err
	}
	var p Executable
	p.Path, p.Deleted = strings.CutSuffix(path, " (deleted)")
	running, err := os.Stat(exe)
	if err != nil {
		return Executable{}, err
	}
	there, err := os.Stat(p.Path)
	p.Same = err == nil && os.SameFile(running, there)
	return p, nil
}

// FlagOf is the value that a process was given for a flag, such as --config, when it was
// started; "" for none. known is false for a process whose command line cannot be read.
func FlagOf(pid int, flag string) (value string, known bool) {
	text, err := os.ReadFile(proc(pid, "cmdline"))
	if err != nil || len(text) == 0 {
		return "", false
	}
	args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	for i, arg := range args {
		if v, ok := strings.CutPrefix(arg, flag+"="); ok {
			value = v
		}
		if arg == flag && i+1 < len(args) {
			value = args[i+1]
		}
	}
	if value != "" && !filepath.IsAbs(value) {
		if dir, err := os.Readlink(proc(pid, "cwd")); err == nil {
			value = filepath.Join(dir, value)
		}
	}
	return value, true
}
