package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
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
	err = sync(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// sync is f.Sync, for which a file system that is mounted read-only has nothing to do: some
// (squashfs) do not support fsync at all.
func sync(f *os.File) error {
	err := f.Sync()
	var st unix.Statfs_t
	if (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EROFS)) &&
		unix.Fstatfs(int(f.Fd()), &st) == nil && st.Flags&unix.ST_RDONLY != 0 {
		return nil
	}
	return err
}

// SyncFS makes everything below path durable. Where syncfs reports the errors of
// write-back it is used; elsewhere each file and directory is synced by itself. It does
// not report them before Linux 5.8, nor on an overlay, which does not learn of the
// errors of its upper layer, and FUSE does not even pass it on.
//
// The kernel reports each error of write-back once: when another process's syncfs
// has got it, this one does not. Reading back from the disk (OpenDirect)
// is what finds such a loss.
func SyncFS(ctx context.Context, path string) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("ask the kernel for its version: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return fmt.Errorf("sync file system of %s: %w", path, err)
	}
	if !syncfsReports(unix.ByteSliceToString(uts.Release[:])) || !slices.Contains(syncfsCounts(), uint32(st.Type)) {
		return SyncTree(ctx, path)
	}
	return syncfs(path)
}

// syncfsCounts are the types of file systems whose syncfs writes all there is, and
// reports what could not be written.
func syncfsCounts() []uint32 {
	return []uint32{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC}
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
	tree, err := OpenDir(path)
	if err != nil {
		return fmt.Errorf("sync tree: %w", err)
	}
	err = tree.Walk(Tour{
		Entry: func(in *Dir, name string, st *unix.Stat_t) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if st.Mode&unix.S_IFMT != unix.S_IFREG {
				return nil
			}
			f, err := in.OpenToRead(ctx, name)
			if err != nil {
				return err
			}
			return errors.Join(sync(f), f.Close())
		},
		Enter: func(*Dir, string, *unix.Stat_t) error { return context.Cause(ctx) },
		Leave: func(dir *Dir, _ *unix.Stat_t) error { return sync(dir.f) },
	})
	if err = errors.Join(err, tree.Close()); err != nil {
		return fmt.Errorf("sync tree %s: %w", path, err)
	}
	return nil
}
