package look

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/service"
)

// Needed is one thing that a start of a service needs, and where it would be.
type Needed struct {
	// What is the setting that names it, such as ExecStart; Executed is the setting's
	// name for what an interpreter is given.
	What string
	// Name is what the setting says.
	Name string
	Place
	// Optional: the start goes on without it.
	Optional bool
	// Beside: it is for a command before or after that of the main process.
	Beside bool
	// Problem says why it does not serve; "" when it does.
	Problem string
	// Closed is set when the problem is a lack of permission: at Shut, a directory or
	// file of the device.
	Closed bool
	Shut   string
}

// String is the setting with the place that it leads to: "ExecStart=/usr/local/bin/api
// leads to /opt/tope/versions/v1.1.0/bin/api, which does not exist".
func (n Needed) String() string {
	text := n.What + "=" + n.Name
	if n.Path != n.Name {
		text += " leads to " + n.Path
		if n.Problem != "" {
			text += ","
		}
	}
	if n.Problem != "" {
		text += " " + n.Problem
	}
	return text
}

// The settings that a start needs beyond its commands.
const (
	WorkingDirectory = "WorkingDirectory"
	RootDirectory    = "RootDirectory"
	EnvironmentFile  = "EnvironmentFile"
	// Executed is the script that the program of a command is given to execute.
	Executed = "script"
)

// searched is where systemd looks for a program that is named without a directory: where
// the unit says (ExecSearchPath=), or in its own list.
func searched(search []string) []string {
	if len(search) > 0 {
		return search
	}
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

// CannotStart tells what keeps a program from being executed, by its host path; has tells
// whether a device path leads to a program: versions.Store.CannotStart.
type CannotStart func(host string, has func(device string) bool) string

// Needs lists what a start of a service needs, each with the place that it would be
// in. Names that only the manager can make a path of (with a variable), and all names in an image,
// are left out.
func (a *AsIf) Needs(l service.Launch, cannotStart CannotStart) []Needed {
	if l.Image != "" {
		return nil
	}
	user, known := UserAt(a.root, l.User, l.Groups...)
	if !known || l.Privileged {
		user = User{}
	}
	n := needs{a: a, l: l, user: user, top: "/", cannotStart: cannotStart}
	if l.RootDir != "" {
		top := a.At(l.RootDir)
		n.add(Needed{What: RootDirectory, Name: l.RootDir, Place: top}, directory)
		if top.Err != nil {
			return n.all
		}
		n.top = top.Path
	}
	if filepath.IsAbs(l.Dir) && !slices.Contains(l.Made, filepath.Clean(l.Dir)) {
		n.add(Needed{What: WorkingDirectory, Name: l.Dir, Place: a.Below(n.top, l.Dir), Optional: l.DirOptional}, directory)
	}
	for _, f := range l.EnvFiles {
		n.add(Needed{What: EnvironmentFile, Name: f, Place: a.At(f)}, readable)
	}
	for _, c := range l.Commands {
		n.command(c)
	}
	return n.all
}

type needs struct {
	a           *AsIf
	l           service.Launch
	user        User
	top         string
	cannotStart CannotStart
	all         []Needed
}

type kind int

const (
	directory kind = iota
	program
	readable
	anything
)

// add notes a thing that is needed, with its problem.
func (n *needs) add(one Needed, k kind) {
	switch {
	case one.Missing():
		one.Problem = "does not exist"
		if one.Path != one.Name {
			one.Problem = "which does not exist"
		}
	case one.Err != nil:
		one.Problem = "which cannot be looked at: " + one.Err.Error()
	case k == directory && !one.Info.IsDir():
		one.Problem = "which is not a directory"
	case k == anything && one.Info.IsDir():
	case k != directory && !one.Info.Mode().IsRegular():
		one.Problem = "which is not a file"
	case k == program:
		one.Problem = n.unstartable(one)
	}
	if one.Problem == "" && (k == directory || k == program) { // the manager reads files as root
		if at, mode := one.Barred(n.user); at != "" {
			one.Problem = fmt.Sprintf("which the user %s cannot reach: %s has the mode %04o", n.user.Name, at, mode.Perm())
			one.Closed, one.Shut = true, at
		}
	}
	n.all = append(n.all, one)
}

func (n *needs) unstartable(one Needed) string {
	var st unix.Statfs_t
	if unix.Statfs(one.host, &st) == nil && st.Flags&unix.ST_NOEXEC != 0 {
		return "which is on a file system mounted noexec"
	}
	if why := n.cannotStart(one.host, n.runs); why != "" {
		return "which cannot be executed: " + why
	}
	return ""
}

// runs reports whether a path would lead to a program: an interpreter may come with the
// version itself.
func (n *needs) runs(path string) bool {
	p := n.a.Below(n.top, path)
	return p.Err == nil && p.Info.Mode().IsRegular() && p.Info.Mode()&0o111 != 0
}

// command notes a command's program, and what the program is to execute.
func (n *needs) command(c service.Execution) {
	if unknown(c.Path) || c.Path == "" {
		return
	}
	at, beside := n.a.Program(n.top, c.Path, n.l.Search), c.Phase != service.Main
	user := n.user
	if c.Privileged {
		n.user = User{}
	}
	n.add(Needed{What: string(c.Phase), Name: c.Path, Place: at, Optional: c.Lenient, Beside: beside}, program)
	n.user = user
	if at.Version != "" || at.Err != nil || len(c.Args) < 2 {
		return
	}
	script, tree := scriptOf(append([]string{c.Path}, c.Args[1:]...))
	if script == "" || unknown(script) {
		return
	}
	k := readable
	if tree {
		k = anything
	}
	path := script
	if !filepath.IsAbs(path) {
		if !filepath.IsAbs(n.l.Dir) {
			return
		}
		path = filepath.Join(n.l.Dir, path)
	}
	n.add(Needed{What: Executed, Name: script, Place: n.a.Below(n.top, path), Optional: c.Lenient, Beside: beside}, k)
}

// Program follows a unit's program as Below does, also one that is named without a
// directory: it is looked for in those of search, or where systemd does by itself.
func (a *AsIf) Program(top, name string, search []string) Place {
	if filepath.IsAbs(name) {
		return a.Below(top, name)
	}
	for _, dir := range searched(search) {
		if p := a.Below(top, filepath.Join(dir, name)); p.Err == nil && p.Info.Mode().IsRegular() {
			return p
		}
	}
	return Place{Path: name, Err: fs.ErrNotExist}
}

// unknown reports whether a word becomes a path only when the manager fills something in.
func unknown(word string) bool { return strings.ContainsAny(word, "$%") }
