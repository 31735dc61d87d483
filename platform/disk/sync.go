package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SyncDir makes the names in a directory durable: those added and those removed.
// On a file system that is mounted read-only there is nothing to do.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EROFS) {
		// Read-only file systems (squashfs) may not support fsync at all.
		var st unix.Statfs_t
		if unix.Fstatfs(int(f.Fd()), &st) == nil && st.Flags&unix.ST_RDONLY != 0 {
			err = nil
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// SyncFS makes everything written so far to the file system that holds path
// durable. Before Linux 5.8 syncfs reports no write-back errors, so there each
// file and directory below path is synced by itself.
//
// The kernel reports each error of write-back once: when another process's syncfs
// has got it, this one does not. Reading back from the disk (OpenDirect)
// is what finds such a loss.
func SyncFS(ctx context.Context, path string) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("ask the kernel for its version: %w", err)
	}
	if !syncfsReports(unix.ByteSliceToString(uts.Release[:])) {
		return SyncTree(ctx, path)
	}
	return syncfs(path)
}

func syncfs(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync file system: %w", err)
	}
	defer f.Close()
	for {
		err = unix.Syncfs(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("sync file system of %s: %w", path, err)
	}
	return nil
}

// syncfsReports says whether syncfs of this kernel release returns the errors
// of write-back. A release that cannot be read is taken for an old one.
func syncfsReports(release string) bool {
	major, rest, _ := strings.Cut(release, ".")
	minor := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		minor = rest[:end]
	}
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return false
	}
	return a > 5 || a == 5 && b >= 8
}

// SyncTree makes a tree durable file by file: every regular file, and every
// directory after its contents. It ends early with the cause of ctx. The name
// of the tree itself in its parent is not covered: Publish and SyncDir do that.
func SyncTree(ctx context.Context, path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("sync tree: %w", err)
	}
	defer root.Close()
	one := func(name string) error {
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		return err
	}
	before := func(name string, info fs.FileInfo) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		return one(name)
	}
	after := func(name string, _ fs.FileInfo) error { return one(name) }
	if err := Walk(root, before, after); err != nil {
		return fmt.Errorf("sync tree %s: %w", path, err)
	}
	return nil
}
