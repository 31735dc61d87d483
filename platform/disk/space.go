package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoSpace means that the file system has too little room. The error is a *SpaceError.
var ErrNoSpace = errors.New("not enough space")

// Space is room on a file system, as available to this process: what is
// reserved for root, or beyond a quota the kernel knows of, is not counted.
type Space struct {
	Bytes uint64 `json:"bytes"`
	// Inodes is math.MaxUint64 where the file system makes them as needed (btrfs).
	Inodes uint64 `json:"inodes"`
}

// Available is the room on the file system that holds path.
func Available(path string) (Space, error) {
	st, err := statfs(path)
	if err != nil {
		return Space{}, err
	}
	return spaceOf(st), nil
}

// Capacity is how many bytes the file system that holds path has in all.
func Capacity(path string) (uint64, error) {
	st, err := statfs(path)
	if err != nil {
		return 0, err
	}
	return st.Blocks * blockOf(st), nil
}

func statfs(path string) (*unix.Statfs_t, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if err == nil {
			return &st, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("ask for the space at %s: %w", path, err)
		}
	}
}

// blockOf is the unit of a file system's counts, in bytes.
func blockOf(st *unix.Statfs_t) uint64 {
	if st.Frsize != 0 {
		return uint64(st.Frsize)
	}
	return uint64(st.Bsize)
}

func spaceOf(st *unix.Statfs_t) Space {
	s := Space{Bytes: st.Bavail * blockOf(st), Inodes: st.Ffree}
	if st.Files == 0 {
		s.Inodes = math.MaxUint64
	}
	return s
}

// Preflight says, before the first byte is written, whether bytes and inodes
// more fit on the file system that holds path. The error tells what is missing.
func Preflight(path string, bytes, inodes uint64) error {
	have, err := Available(path)
	if err != nil {
		return err
	}
	need := Space{Bytes: bytes, Inodes: inodes}
	if have.Bytes >= need.Bytes && have.Inodes >= need.Inodes {
		return nil
	}
	return &SpaceError{Path: path, Need: need, Have: have}
}

// SpaceError says what is missing where. It is an ErrNoSpace.
type SpaceError struct {
	Path       string
	Need, Have Space
}

func (e *SpaceError) Error() string {
	var missing []string
	if e.Need.Bytes > e.Have.Bytes {
		missing = append(missing, fmt.Sprintf("%d bytes needed, %d available", e.Need.Bytes, e.Have.Bytes))
	}
	if e.Need.Inodes > e.Have.Inodes {
		missing = append(missing, fmt.Sprintf("%d inodes needed, %d available", e.Need.Inodes, e.Have.Inodes))
	}
	return fmt.Sprintf("%v at %s: %s", ErrNoSpace, e.Path, strings.Join(missing, "; "))
}

// Is makes errors.Is(err, ErrNoSpace) true.
func (e *SpaceError) Is(target error) bool { return target == ErrNoSpace }

// OutOfSpace reports whether err means a full disk or a spent quota, found
// beforehand or while writing: it goes away when somebody makes room.
func OutOfSpace(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// Writable tells whether files can be made in a directory, or, where it is missing, in the
// one that it would be made in. It returns the error that a write would have, with the path,
// such as EROFS, and writes nothing.
func Writable(dir string) error {
	for {
		err := unix.Access(dir, unix.W_OK)
		if errors.Is(err, unix.ENOENT) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "write to", Path: dir, Err: err}
		}
		return nil
	}
}
