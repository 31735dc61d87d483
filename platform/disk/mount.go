package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is the file system that a path lies on, and how it is mounted.
type Mount struct {
	Point  string // where it is mounted, in this process's view
	Type   string // ext4, overlay…
	Source string // /dev/mmcblk0p3, or a mere name such as overlay
	// Options are those of the mount and of the file system, in the kernel's
	// words. Those at their defaults are left out.
	Options []string
	device  uint64
}

// Has reports whether one of the options is set.
func (m Mount) Has(options ...string) bool {
	return slices.ContainsFunc(options, func(o string) bool { return slices.Contains(m.Options, o) })
}

// Option is the value of an option "name=value"; empty when it is not set.
func (m Mount) Option(name string) string {
	for _, o := range m.Options {
		if value, ok := strings.CutPrefix(o, name+"="); ok {
			return unescape(value)
		}
	}
	return ""
}

// MountOf is the file system that an existing path lies on. It comes from
// /proc/self/mountinfo; see proc_pid_mountinfo(5).
func MountOf(path string) (Mount, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Mount{}, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	all, err := mounts()
	if err != nil {
		return Mount{}, err
	}
	// Of the mounts that cover the path, the deepest is seen; of those, the last.
	var found Mount
	for _, m := range all {
		if within(path, m.Point) && len(m.Point) >= len(found.Point) {
			found = m
		}
	}
	if found.Point == "" {
		return Mount{}, fmt.Errorf("cannot find the mount of %s: %w", path, os.ErrNotExist)
	}
	found.device = st.Dev
	return found, nil
}

func mounts() ([]Mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of mounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	all, err := parseMounts(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of mounts: %w", err)
	}
	return all, nil
}

// ErrMounted says that another file system, or another directory, is mounted at a
// directory or in it: the files there are somebody else's.
var ErrMounted = errors.New("something is mounted there")

// NothingMounted is ErrMounted where something is mounted at path or below it, in this
// process's view. Links among the parents of path are followed.
func NothingMounted(path string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for mounts: %w", err)
	}
	all, err := mounts()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // without /proc, nobody can tell
	}
	if err != nil {
		return err
	}
	dir := filepath.Join(parent, filepath.Base(path))
	for _, m := range all {
		if within(m.Point, dir) {
			return fmt.Errorf("%s: %w; unmount it", m.Point, ErrMounted)
		}
	}
	return nil
}

func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// parseMounts reads lines of this kind:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func parseMounts(r io.Reader) ([]Mount, error) {
	var all []Mount
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		mount, fs, ok := strings.Cut(lines.Text(), " - ")
		m, f := strings.Fields(mount), strings.Fields(fs)
		if !ok || len(m) < 6 || len(f) < 3 {
			return nil, fmt.Errorf("cannot parse line %q", lines.Text())
		}
		all = append(all, Mount{
			Point: unescape(m[4]), Type: f[0], Source: unescape(f[1]),
			Options: append(strings.Split(m[5], ","), strings.Split(f[2], ",")...),
		})
	}
	return all, lines.Err()
}

// unescape undoes what the kernel does to spaces, tabs, newlines and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Where an ext4 file system keeps its features; see the kernel's
// Documentation/filesystems/ext4/super.rst.
const (
	ext4Superblock = 1024
	ext4Magic      = 0xEF53
	ext4MagicAt    = 0x38
	ext4CompatAt   = 0x5C
	ext4FastCommit = 0x400
)

var errNotExt4 = errors.New("no ext4 superblock")

// FastCommit reports whether an ext4 file system journals by fast commits,
// which no mount option tells. It reads the superblock from the block device,
// which takes root.
func (m Mount) FastCommit() (bool, error) {
	path := fmt.Sprintf("/dev/block/%d:%d", unix.Major(m.device), unix.Minor(m.device))
	if _, err := os.Stat(path); err != nil {
		path = m.Source // no udev
	}
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("cannot read the superblock of %s: %w", m.Point, err)
	}
	defer func() { _ = f.Close() }()
	on, err := fastCommit(f)
	if err != nil {
		return false, fmt.Errorf("cannot read the superblock of %s from %s: %w", m.Point, path, err)
	}
	return on, nil
}

func fastCommit(r io.ReaderAt) (bool, error) {
	var super [1024]byte
	if _, err := r.ReadAt(super[:], ext4Superblock); err != nil {
		return false, err
	}
	if int(super[ext4MagicAt])|int(super[ext4MagicAt+1])<<8 != ext4Magic {
		return false, errNotExt4
	}
	return (int(super[ext4CompatAt])|int(super[ext4CompatAt+1])<<8)&ext4FastCommit != 0, nil
}
