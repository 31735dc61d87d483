package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/filecaps"
)

// Loss is something of a directory that a release does not carry. Scan refuses an entry
// that would lose it, unless it is told to leave it out.
type Loss string

// The losses.
const (
	// Owners: on a device everything belongs to root.
	Owners Loss = "owners"
	// Bits: no version has setuid, setgid and sticky bits.
	Bits Loss = "bits"
	// Attributes: extended attributes and access lists are not carried.
	Attributes Loss = "attributes"
	// Capabilities are carried, except those of a container's namespace. Left out,
	// there are none, and older updaters take the release.
	Capabilities Loss = "capabilities"
	// Modes are carried, except those of directories. Left out, everybody may read
	// every file, and execute it if anybody may.
	Modes Loss = "modes"
)

// Losses are all of them.
func Losses() []Loss { return []Loss{Owners, Bits, Attributes, Capabilities, Modes} }

// carrier judges what entries of a directory have besides their contents.
type carrier struct {
	left map[Loss]int // what is left out, and of how many entries
	drop []Loss
	// users and groups are those whose files become root's without a word: root's, the
	// packing user's and those of the directory's owner.
	users, groups []uint32
	// closed are the directories that not everybody may read and pass; open is one of
	// the files in each that everybody may read.
	closed  map[string]fs.FileMode
	open    map[string]string
	private []string // the files that root alone will read
}

func newCarrier(dir string, drop []Loss) (*carrier, error) {
	c := &carrier{left: map[Loss]int{}, drop: drop, closed: map[string]fs.FileMode{}, open: map[string]string{}}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	st := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // on Linux it is
	c.users = []uint32{0, uint32(os.Geteuid()), st.Uid}
	c.groups = []uint32{0, uint32(os.Getegid()), st.Gid}
	groups, err := os.Getgroups()
	for _, g := range groups {
		c.groups = append(c.groups, uint32(g))
	}
	return c, err
}

// lost notes that an entry loses something, and returns the problem that this is.
func (c *carrier) lost(what Loss, rel, format string, args ...any) Problems {
	if slices.Contains(c.drop, what) {
		c.left[what]++
		return nil
	}
	return Problems{fmt.Sprintf("%q "+format+", or leave it out with --drop %s", append(append([]any{rel}, args...), what)...)}
}

// judge lists what a file or directory has that the release would lose. A link has
// nothing but its target. rel is "." for the directory that is packed.
func (c *carrier) judge(p, rel string, info fs.FileInfo) (Problems, error) {
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, nil
	}
	problems := c.bits(rel, info.Mode())
	problems = append(problems, c.owner(rel, info)...)
	names, err := attributes(p)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, accessList) {
			problems = append(problems, c.lost(Attributes, rel, "has an access list (%s), which a release does not carry: setfacl -b it", name)...)
			continue
		}
		problems = append(problems, c.lost(Attributes, rel, "has the extended attribute %s, which a release does not carry: setfattr -x it", name)...)
	}
	return problems, nil
}

func (c *carrier) bits(rel string, mode fs.FileMode) Problems {
	if mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == 0 {
		return nil
	}
	do := "chmod them away"
	if mode.IsRegular() {
		do += " and give the program capabilities (setcap)"
	}
	return c.lost(Bits, rel, "has setuid, setgid or sticky bits (%s), which no version has: %s", mode, do)
}

// owner judges owner and group. The group counts where it may do more than everybody.
func (c *carrier) owner(rel string, info fs.FileInfo) (problems Problems) {
	st := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // on Linux it is
	if !slices.Contains(c.users, st.Uid) {
		problems = c.lost(Owners, rel, "belongs to user %s, and on a device everything belongs to root: chown it", userName(st.Uid))
	}
	group, others := info.Mode().Perm()>>3&0o5, info.Mode().Perm()&0o5
	if group&^others != 0 && !slices.Contains(c.groups, st.Gid) {
		problems = append(problems, c.lost(Owners, rel, "belongs to group %s, which may do more with it than everybody (%s), and on a device everything belongs to root: chgrp it",
			groupName(st.Gid), info.Mode())...)
	}
	return problems
}

// mode judges the mode of a file and returns the one to carry: without write bits, as a
// device has it, but for the owner's. So one tree gives one bundle, whatever write
// bits a umask has left.
func (c *carrier) mode(rel string, mode fs.FileMode) fs.FileMode {
	const readable, program, owner = 0o644, 0o755, 0o600
	perm := mode.Perm()
	if slices.Contains(c.drop, Modes) {
		if perm&0o444 != 0o444 {
			c.left[Modes]++
		}
		if perm&0o111 != 0 {
			return program
		}
		return readable
	}
	if perm&0o004 == 0 {
		c.private = append(c.private, rel)
		return perm&0o555 | owner
	}
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		if _, closed := c.closed[dir]; closed && c.open[dir] == "" {
			c.open[dir] = rel
		}
	}
	return perm&0o555 | owner
}

// directory remembers one that not everybody may read and pass.
func (c *carrier) directory(rel string, mode fs.FileMode) {
	if mode&0o005 != 0o005 {
		c.closed[rel] = mode
	}
}

// exposed are the directories whose files everybody may read on a device.
func (c *carrier) exposed() (problems Problems) {
	for _, dir := range slices.Sorted(maps.Keys(c.open)) {
		problems = append(problems, c.lost(Modes, dir, "is closed to others (%s), and on a device it is not: everybody may read %q in it; chmod the files (o-r), or open the directory (o+rx)",
			c.closed[dir], c.open[dir])...)
	}
	return problems
}

// capabilities returns those of a file.
func (c *carrier) capabilities(p, rel string) (filecaps.Set, error) {
	caps, err := filecaps.Of(p)
	switch {
	case errors.Is(err, filecaps.ErrForeign):
		if problems := c.lost(Capabilities, rel, "has %s: setcap -r it", strings.TrimPrefix(err.Error(), p+": ")); problems != nil {
			return caps, problems
		}
		return filecaps.Set{}, nil
	case err == nil && !caps.None() && slices.Contains(c.drop, Capabilities):
		c.left[Capabilities]++
		return filecaps.Set{}, nil
	}
	return caps, err
}

// warnings tell what is left out, and who reads what on a device.
func (c *carrier) warnings() (all []string) {
	for _, what := range Losses() {
		if n := c.left[what]; n > 0 {
			all = append(all, fmt.Sprintf("--drop %s: left out of %d of the entries", what, n))
		}
	}
	if n := len(c.private); n > 0 {
		more := ""
		if n > 1 {
			more = fmt.Sprintf(" and %d more", n-1)
		}
		all = append(all, fmt.Sprintf("not for everybody to read, so on a device for root alone: %q%s", c.private[0], more))
	}
	return all
}

const accessList = "system.posix_acl_"

// attributes lists the extended attributes of a file that somebody has given it. Labels
// of the host's security module and attributes that a file system makes up itself
// (access lists of NFS, properties of btrfs) are none; capabilities are carried.
func attributes(p string) ([]string, error) {
	size, err := unix.Llistxattr(p, nil)
	if size <= 0 || err != nil {
		return nil, ignoreUnsupported(p, err)
	}
	buf := make([]byte, size)
	if size, err = unix.Llistxattr(p, buf); err != nil {
		return nil, ignoreUnsupported(p, err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:size]), "\x00"), "\x00") {
		space, _, _ := strings.Cut(name, ".")
		switch {
		case name == filecaps.Attribute, name == "security.selinux", strings.HasPrefix(name, "security.SMACK64"):
		case space == "user", space == "trusted", space == "security", strings.HasPrefix(name, accessList):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func ignoreUnsupported(p string, err error) error {
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return &os.PathError{Op: "list the extended attributes", Path: p, Err: err}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username + " (" + id + ")"
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name + " (" + id + ")"
	}
	return id
}
