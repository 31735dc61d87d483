package look

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// deleted is what the kernel puts behind the path of a file that has no name any more.
const deleted = " (deleted)"

// trace looks at a process; alive is false for one that has ended, and for one that
// executes nothing (a zombie, a thread of the kernel).
func (v *view) trace(pid int) (t Trace, alive bool) {
	t.Process = process(pid)
	age, err := ageOf(pid)
	if err != nil {
		return t, false
	}
	t.Age = age
	exe, err := os.Readlink(proc(pid, "exe"))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return t, false
	case err != nil:
		t.Hidden = fmt.Errorf("%s cannot be looked at: %w", t.Process, errors.Unwrap(err))
		return t, true
	}
	p := v.enter(pid)
	host, gone, ok := p.find("exe", exe)
	if !ok {
		t.Hidden = fmt.Errorf("%s has a file system of its own, in which %s cannot be found from here", t.Process, exe)
		return t, true
	}
	p.below = strings.TrimSuffix(host, strings.TrimSuffix(exe, deleted))
	program := v.use(Program, host)
	program.Gone = gone
	uses := []Use{program}
	dir := p.directory()
	if u := v.use(Directory, dir); dir != "" && u.Version != "" {
		uses = append(uses, u)
	}
	uses = append(uses, p.mapped(exe)...)
	if program.Version == "" {
		// A process with many open files has a program of its own, as a rule: only
		// an interpreter's are looked at.
		find := func(path string) (string, error) { return p.named(dir, path) }
		uses = append(append(uses, v.arguments(argumentsOf(pid), find)...), v.searched(pid, find)...)
		uses = append(uses, p.open()...)
	}
	t.Uses = one(uses)
	return t, true
}

// entered is a process that is looked at. Its paths are what its own mounts make of them.
type entered struct {
	*view
	pid int
	// root is what "/" is to the process, as far as can be told. It is foreign when
	// it is not this host's.
	root    disk.Root
	foreign bool
	// below is the host path of the directory in which the process's paths are found.
	below string
}

func (v *view) enter(pid int) *entered {
	p := &entered{view: v, pid: pid, root: v.Root}
	info, err := os.Stat(proc(pid, "root"))
	p.foreign = err != nil || v.host == nil || !os.SameFile(info, v.host)
	if root, err := disk.NewRoot(v.rootDir); p.foreign && err == nil && v.rootDir != "" {
		p.root = root
	}
	return p
}

// find is the host path of the file behind a link of the process (exe, cwd). The
// link's path is believed when it leads to the very file, as it stands or below the
// service's root directory. A removed file's leads nowhere: it is believed when the
// roots are the same.
func (p *entered) find(link, path string) (host string, gone, ok bool) {
	info, err := os.Stat(proc(p.pid, link))
	if name, cut := strings.CutSuffix(path, deleted); cut && (err != nil || unlinked(info)) {
		return name, true, !p.foreign
	}
	for _, host := range []string{path, filepath.Join(p.root.Dir(), path)} {
		if found, serr := os.Stat(host); serr == nil && err == nil && os.SameFile(found, info) {
			return host, strings.Contains(host, "/"+disk.TrashPrefix), true
		}
	}
	return "", false, false
}

// named is the host path of a path that the process was given, with links followed. dir
// is its working directory.
func (p *entered) named(dir, path string) (string, error) {
	if filepath.IsAbs(path) && p.foreign {
		return p.root.Resolve(path)
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if p.root.Dir() != "/" && !strings.HasPrefix(path, p.root.Dir()+"/") {
		return path, nil // this host's, outside the device
	}
	return p.root.Resolve(p.root.Device(path))
}

func unlinked(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() || ok && st.Nlink == 0 // a directory's links are not its names
}

// directory is the host path of the working directory; "" when it cannot be told.
func (p *entered) directory() string {
	cwd, err := os.Readlink(proc(p.pid, "cwd"))
	if err != nil {
		return ""
	}
	host, _, ok := p.find("cwd", cwd)
	if !ok {
		return ""
	}
	return host
}

// mapped are the files of versions that a process maps, other than its program.
func (p *entered) mapped(exe string) (uses []Use) {
	f, err := os.Open(proc(p.pid, "maps"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it was only read
	last := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, path, ok := strings.Cut(lines.Text(), "/")
		if path = "/" + path; !ok || path == last || path == exe {
			continue
		}
		last = path
		uses = p.inVersion(uses, Mapped, path)
	}
	return uses
}

// open are the files of versions that a process has open.
func (p *entered) open() (uses []Use) {
	dir, err := os.Open(proc(p.pid, "fd"))
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		path, err := os.Readlink(filepath.Join(dir.Name(), name))
		if err == nil && filepath.IsAbs(path) {
			uses = p.inVersion(uses, Open, path)
		}
	}
	return uses
}

// inVersion adds a file, by the path that the kernel gives it, if it lies in a version.
func (p *entered) inVersion(uses []Use, part Part, path string) []Use {
	path, gone := strings.CutSuffix(path, deleted)
	u := p.use(part, p.below+path)
	if u.Gone = gone; u.Version == "" {
		return uses
	}
	return append(uses, u)
}

// argumentsOf are a process's arguments, without its program's name.
func argumentsOf(pid int) []string {
	text, _ := os.ReadFile(proc(pid, "cmdline")) // it may have ended
	all := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	return all[1:]
}

// searchPaths are the variables in which interpreters are told where their programs are:
// "python3 -m app" has no other trace of the version that app is in.
func searchPaths() []string {
	return []string{"PYTHONPATH", "NODE_PATH", "CLASSPATH", "PERL5LIB", "RUBYLIB", "LUA_PATH"}
}

// searched are the directories of versions in an interpreter's search path, as arguments.
func (v *view) searched(pid int, find func(string) (string, error)) (uses []Use) {
	text, _ := os.ReadFile(proc(pid, "environ")) // it may have ended
	for entry := range strings.SplitSeq(string(text), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if !slices.Contains(searchPaths(), name) {
			continue
		}
		for _, path := range PathsIn(value) {
			if info, host := stat(path, find); info != nil {
				if u := v.use(Argument, host); u.Version != "" {
					uses = append(uses, u)
				}
			}
		}
	}
	return uses
}

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 everywhere.
const tick = 10 * time.Millisecond

// ageOf is how long ago a process was started. A zombie is an error: it has ended.
func ageOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name, in parentheses, and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, fs.ErrNotExist
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return 0, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, err
	}
	return time.Duration(now.Nano()) - time.Duration(ticks)*tick, nil
}
