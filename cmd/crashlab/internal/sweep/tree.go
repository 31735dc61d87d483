//go:build linux && amd64

package sweep

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CopyTree copies a directory: files, directories, symlinks, permission bits.
// Sockets and the like are left out. Zeros become holes.
func CopyTree(from, to string) error {
	type late struct {
		path string
		mode fs.FileMode
	}
	var dirs []late // made writable first, their own bits set last
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			dirs = append(dirs, late{dst, info.Mode().Perm()})
			return os.Mkdir(dst, 0o700)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(target, dst)
		case d.Type().IsRegular():
			if err := copyFile(p, dst, info.Mode().Perm()); err != nil {
				return err
			}
			return copyCapabilities(p, dst)
		}
		return nil
	})
	for _, d := range dirs {
		if err == nil {
			err = os.Chmod(d.path, d.mode)
		}
	}
	return err
}

// copyCapabilities gives the file to the capabilities of the file from.
func copyCapabilities(from, to string) error {
	const capability = "security.capability"
	var buf [64]byte
	n, err := unix.Lgetxattr(from, capability, buf[:])
	if err != nil {
		return nil //nolint:nilerr // it has none, or its file system cannot have any
	}
	return unix.Lsetxattr(to, capability, buf[:n], 0)
}

const chunk = 64 << 10

func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	var buf, zeros [chunk]byte
	var off int64
	for {
		n, err := io.ReadFull(src, buf[:])
		if n > 0 && !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := dst.WriteAt(buf[:n], off); err != nil {
				return err
			}
		}
		off += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := dst.Truncate(off); err != nil {
		return err
	}
	return dst.Chmod(mode)
}

// RemoveTree removes a directory whatever its permission bits; absent is fine.
// The laboratory is root, so the bits do not stop it.
func RemoveTree(path string) error { return os.RemoveAll(path) }

// Digest is the same for trees with the same names, bytes, targets and bits.
// Paths for which skip is true are left out. It is good within one process.
func Digest(root string, seed maphash.Seed, skip func(rel string) bool) (uint64, error) {
	var h maphash.Hash
	h.SetSeed(seed)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if skip(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&h, "%q %v ", rel, info.Mode())
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			fmt.Fprintf(&h, "%q", target)
			return err
		case d.Type().IsRegular():
			b, err := os.ReadFile(p)
			h.Write(b)
			return err
		}
		return nil
	})
	return h.Sum64(), err
}
