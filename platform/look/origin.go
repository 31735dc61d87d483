package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// Origin tells from which versions a service runs, as seen at one moment.
type Origin struct {
	// Unit is what the manager would execute for the service now, resolved through
	// the links as they lead now. It is empty for a service that the manager does
	// not know, and for one whose files cannot be found (Hidden).
	Unit []Use
	// Entry is the device path of the unit's program as the unit writes it, before
	// links are followed; "" when there is none.
	Entry string
	// Traces has each live process of the service.
	Traces []Trace
	// Hidden says why it cannot be told what Unit is.
	Hidden error
}

// Trace is what one process of a service uses.
type Trace struct {
	Process
	// Age is how long ago the process was started, time in suspend included.
	Age time.Duration
	// Uses are the process's program, its script, and one example for each further
	// way in which it uses a version.
	Uses []Use
	// Hidden says why this process cannot be looked at; Uses is empty then.
	Hidden error
}

// Use is one file or directory that a service uses, and the version it lies in.
type Use struct {
	Part Part
	// Version is "" for what lies outside the versions. Only a Program and a Script
	// are listed then.
	Version string
	// Path is the device's, with its links followed. A process of another file system
	// than this one's has its own path there.
	Path string
	// Gone: the file was removed or replaced since the process opened it, or, in
	// a Unit, there is no such file.
	Gone bool
}

// Part says how a service uses a file.
type Part string

// The parts.
const (
	// Program is what is executed.
	Program Part = "program"
	// Script is the first argument that names a file, of a program that lies outside
	// the versions: what an interpreter executes. It is where that path leads now.
	Script Part = "script"
	// Argument is a file or directory that a later argument of such a program names, or a
	// part of an argument.
	Argument Part = "argument"
	// Directory is the working directory.
	Directory Part = "working directory"
	// Mapped is a file that is mapped into memory, such as a library.
	Mapped Part = "mapped file"
	// Open is a file that a program which lies outside the versions has open.
	Open Part = "open file"
)

// Origins looks at services, and knows the versions of a device. It is safe for
// concurrent use.
type Origins struct {
	Root disk.Root
	// Versions is the host path of the versions directory, links followed.
	Versions string
}

// Of looks at a service. An error is the manager's, who must be a service.Launcher.
func (o Origins) Of(ctx context.Context, m service.Manager, s service.Service) (Origin, error) {
	l, ok := m.(service.Launcher)
	if !ok {
		return Origin{Hidden: errors.New("the service manager does not tell what it executes")}, nil
	}
	launch, err := l.Launch(ctx, s)
	if err != nil {
		return Origin{}, err
	}
	pids, err := l.Processes(ctx, s)
	if err != nil {
		return Origin{}, err
	}
	v := o.view(launch)
	var found Origin
	if main, ok := launch.MainCommand(); ok {
		found.Entry = main.Path
	}
	found.Unit, found.Hidden = v.unit(launch)
	for _, pid := range pids {
		if t, alive := v.trace(pid); alive {
			found.Traces = append(found.Traces, t)
		}
	}
	return found, nil
}

// Versions are the versions whose programs, scripts, directories or mapped files the
// service's processes use. Arguments and open files count when there are no others,
// and Unit when the processes use nothing of a version, or cannot be looked at: a program
// of the version may execute one of the system's in the end.
func (f Origin) Versions() []string {
	var all []Use
	for _, t := range f.Traces {
		all = append(all, t.Uses...)
	}
	if !slices.ContainsFunc(all, func(u Use) bool { return u.Version != "" }) {
		all = f.Unit
	}
	if bound := versionsOf(all, Use.Binds); len(bound) > 0 {
		return bound
	}
	return versionsOf(all, func(Use) bool { return true })
}

// String says it in a clause: "from 1.3.0", "outside the versions: /usr/bin/sleep".
func (f Origin) String() string {
	found := f.Versions()
	switch {
	case len(found) == 1:
		return "from " + found[0]
	case len(found) > 1:
		return "from " + strings.Join(found, " and ") + f.examples()
	case len(f.Unit) == 0 && f.Hidden != nil:
		return "from where cannot be told: " + f.Hidden.Error()
	}
	for _, u := range f.Unit {
		if u.Part == Program && u.Gone {
			return "from nowhere: there is no " + u.Path
		} else if u.Part == Program {
			return "outside the versions: " + u.Path
		}
	}
	return "outside the versions"
}

// examples names a file for each of several versions.
func (f Origin) examples() string {
	said := map[string]bool{}
	var all []string
	for _, t := range f.Traces {
		for _, u := range t.Uses {
			if u.Version != "" && u.Binds() && !said[u.Version] {
				said[u.Version] = true
				all = append(all, fmt.Sprintf("%s has the %s", t.Process, u))
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ")
}

func versionsOf(uses []Use, which func(Use) bool) []string {
	var found []string
	for _, u := range uses {
		if u.Version != "" && which(u) {
			found = append(found, u.Version)
		}
	}
	sort.Slice(found, func(i, j int) bool { return versions.Compare(found[i], found[j]) < 0 })
	return slices.Compact(found)
}

// Binds reports whether a process with this use runs from the version: it executes
// files of it, or works in it. Any program may name or read files of any version.
func (u Use) Binds() bool {
	return u.Part == Program || u.Part == Script || u.Part == Directory || u.Part == Mapped
}

func (u Use) String() string {
	s := fmt.Sprintf("%s %s", u.Part, u.Path)
	if u.Gone {
		s += " (removed)"
	}
	return s
}

// view is one look at one service. It remembers which directories lie in which
// version, for a process maps many files of a few directories.
type view struct {
	Origins
	home fs.FileInfo // the versions directory
	dirs map[string]string
	// rootDir is the host path of the service's own "/"; "" when that is the device's.
	rootDir string
	host    fs.FileInfo // this host's "/"
}

func (o Origins) view(l service.Launch) *view {
	v := &view{Origins: o, dirs: map[string]string{}}
	v.home, _ = os.Stat(o.Versions) // without one there are no versions
	v.host, _ = os.Stat("/")
	if l.RootDir != "" {
		v.rootDir, _ = o.Root.Resolve(l.RootDir) // else its processes cannot be told
	}
	return v
}

// version is the version in which a host path lies, "" for none. A path may lead to
// the versions directory by another name (a bind mount): the directory is known by
// what it is. A tree that is about to be deleted bears its version's name still.
func (v *view) version(host string) string {
	rel, ok := strings.CutPrefix(host, v.Versions+"/")
	if !ok {
		return v.bound(filepath.Dir(host), filepath.Base(host))
	}
	name, _, _ := strings.Cut(rel, "/")
	return versionNamed(name)
}

// bound looks for the versions directory among the parents of a path.
func (v *view) bound(dir, base string) string {
	if dir == "/" || dir == "." {
		return ""
	}
	if known, ok := v.dirs[dir]; ok && known != "/" {
		return known
	} else if ok {
		return versionNamed(base)
	}
	info, err := os.Stat(dir)
	if err == nil && v.home != nil && os.SameFile(info, v.home) {
		v.dirs[dir] = "/"
		return versionNamed(base)
	}
	found := v.bound(filepath.Dir(dir), filepath.Base(dir))
	v.dirs[dir] = found
	return found
}

// versionNamed is the version of a directory's name: v1.2.3, or .trash-v1.2.3-0.
func versionNamed(name string) string {
	if rest, trash := strings.CutPrefix(name, disk.TrashPrefix); trash {
		name = rest[:max(strings.LastIndexByte(rest, '-'), 0)]
	}
	version, ok := strings.CutPrefix(name, "v")
	if !ok || versions.ValidVersion(version) != nil {
		return ""
	}
	return version
}

func (v *view) use(part Part, host string) Use {
	return Use{Part: part, Version: v.version(host), Path: v.Root.Device(host)}
}

// unit is what a manager executes, with the links as they lead now.
func (v *view) unit(l service.Launch) ([]Use, error) {
	if l.Image != "" {
		return nil, fmt.Errorf("the service runs from the disk image %s", l.Image)
	}
	root := v.Root
	if l.RootDir != "" {
		var err error
		if root, err = disk.NewRoot(v.rootDir); err != nil || v.rootDir == "" {
			return nil, fmt.Errorf("the service's root directory %s cannot be looked at: %w", l.RootDir, err)
		}
	}
	var uses []Use
	if dir, err := root.Resolve(filepath.Join("/", l.Dir)); err == nil && l.Dir != "~" {
		if u := v.use(Directory, dir); u.Version != "" {
			uses = append(uses, u)
		}
	}
	for _, c := range l.Commands {
		if c.Phase != service.Main {
			continue
		}
		host, err := programOf(root, c.Path, l.Search)
		if err != nil {
			return nil, err
		}
		p := v.use(Program, host)
		_, err = os.Stat(host)
		p.Gone = err != nil
		uses = append(uses, p)
		if p.Version == "" && len(c.Args) > 0 {
			uses = append(uses, v.arguments(c.Args[1:], func(arg string) (string, error) {
				if !filepath.IsAbs(arg) {
					arg = filepath.Join("/", l.Dir, arg)
				}
				return root.Resolve(arg)
			})...)
		}
	}
	return one(uses), nil
}

// programOf is the host path of a unit's program; one without a slash is looked for
// as the manager would.
func programOf(root disk.Root, path string, search []string) (string, error) {
	if filepath.IsAbs(path) {
		return root.Resolve(path)
	}
	for _, dir := range searched(search) {
		host, err := root.Resolve(filepath.Join(dir, path))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(host); err == nil {
			return host, nil
		}
	}
	return filepath.Join(root.Dir(), path), nil
}

// arguments are the files and directories that a program's arguments name: the first file
// that is a word of its own is its script. find gives an argument's host path.
func (v *view) arguments(args []string, find func(string) (string, error)) (uses []Use) {
	part := Script
	for _, arg := range args {
		if info, host := stat(arg, find); info != nil && info.Mode().IsRegular() {
			if u := v.use(part, host); u.Version != "" || part == Script {
				uses = append(uses, u)
			}
			part = Argument
			continue
		}
		for _, path := range PathsIn(arg) {
			if info, host := stat(path, find); info != nil {
				if u := v.use(Argument, host); u.Version != "" {
					uses = append(uses, u)
				}
			}
		}
	}
	return uses
}

func stat(arg string, find func(string) (string, error)) (info fs.FileInfo, host string) {
	if arg == "" || arg[0] == '-' {
		return nil, ""
	}
	host, err := find(arg)
	if err != nil {
		return nil, ""
	}
	if info, err = os.Stat(host); err != nil {
		return nil, ""
	}
	return info, host
}

// PathsIn are the absolute paths in an argument: --dir=/a, -I/a, /a:/b, "cd /a && b".
func PathsIn(arg string) (paths []string) {
	for _, word := range strings.FieldsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\n=:,;&|<>()'\"", r) }) {
		if strings.HasPrefix(word, "-") {
			word = word[max(strings.IndexByte(word, '/'), 0):]
		}
		if strings.HasPrefix(word, "/") {
			paths = append(paths, word)
		}
	}
	return paths
}

// one keeps one example of each part in each version.
func one(uses []Use) (kept []Use) {
	for _, u := range uses {
		known := slices.ContainsFunc(kept, func(k Use) bool { return k.Part == u.Part && k.Version == u.Version && k.Gone == u.Gone })
		if !known {
			kept = append(kept, u)
		}
	}
	return kept
}
