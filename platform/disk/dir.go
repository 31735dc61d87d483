package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotDirectory means that a symlink, or a file, is where a directory should be.
var ErrNotDirectory = errors.New("not a directory")

// Dir is an open directory, for trees that others may change meanwhile. Its methods take
// the name of one entry and follow no symlink. Whoever renames or replaces directories
// cannot lead them anywhere else: what is open stays what it is. Errors are
// *fs.PathError and *os.LinkError, with the path under which the directory was opened.
//
// Nothing is durable before Sync. A Dir is for one goroutine.
type Dir struct {
	f    *os.File
	path string
}

// OpenDir opens a directory by its path, and follows the symlinks in it: it is for the
// directories in which the updater's own configuration puts others' trees.
func OpenDir(path string) (*Dir, error) {
	return openDir(unix.AT_FDCWD, path, path, 0)
}

func openDir(at int, name, path string, flags int) (*Dir, error) {
	for {
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
			return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotDirectory}
		case err != nil:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return &Dir{os.NewFile(uintptr(fd), path), path}, nil
	}
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.f.Close() }

// Path is where the directory was when it was opened.
func (d *Dir) Path() string { return d.path }

// File is the open directory itself, for calls that take a descriptor.
func (d *Dir) File() *os.File { return d.f }

func (d *Dir) fd() int { return int(d.f.Fd()) }

// join is the path of an entry for people. That of a very deep one is cut short, so
// that a way down costs no more for each level.
func (d *Dir) join(name string) string {
	const most = 4096
	if len(d.path) > most {
		return d.path
	}
	return strings.TrimSuffix(d.path, "/") + "/" + name
}

func (d *Dir) failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.join(name), Err: err}
}

// Open opens the directory of this name; ErrNotDirectory when it is anything else.
func (d *Dir) Open(name string) (*Dir, error) {
	return openDir(d.fd(), name, d.join(name), unix.O_NOFOLLOW)
}

// Descend opens the directory at a slash-separated path below d, from one directory to
// the next. "." is d itself, opened once more.
func (d *Dir) Descend(path string) (*Dir, error) {
	return d.descend(path, (*Dir).Open)
}

// MakeAll is Descend, and makes the directories that are missing. Those have this mode
// less the umask, and all are durable when it returns, also those that somebody has made
// who was killed before he synced them. If the power goes before that, any of them are there.
func (d *Dir) MakeAll(path string, mode uint32) (*Dir, error) {
	return d.makeAll(path, mode, (*Dir).Sync)
}

// MakeAllLater is MakeAll for a tree that SyncAll makes durable as a whole.
func (d *Dir) MakeAllLater(path string, mode uint32) (*Dir, error) {
	return d.makeAll(path, mode, func(*Dir) error { return nil })
}

func (d *Dir) makeAll(path string, mode uint32, made func(in *Dir) error) (*Dir, error) {
	return d.descend(path, func(in *Dir, name string) (*Dir, error) {
		if err := in.Mkdir(name, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := made(in); err != nil {
			return nil, err
		}
		return in.Open(name)
	})
}

func (d *Dir) descend(path string, step func(in *Dir, name string) (*Dir, error)) (*Dir, error) {
	at, err := openDir(d.fd(), ".", d.path, 0)
	if err != nil || path == "." || path == "" {
		return at, err
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." {
			return nil, errors.Join(d.failed("open", path, unix.EINVAL), at.Close())
		}
		next, err := step(at, name)
		if err = errors.Join(err, at.Close()); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// Stat is fstat(2) of the directory.
func (d *Dir) Stat() (st unix.Stat_t, err error) {
	err = d.failed("stat", "", unix.Fstat(d.fd(), &st))
	return st, err
}

// Lstat is fstatat(2) of an entry.
func (d *Dir) Lstat(name string) (st unix.Stat_t, err error) {
	err = d.failed("lstat", name, unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW))
	return st, err
}

// OpenFile opens a file, without waiting for one that turns out to be a pipe.
func (d *Dir) OpenFile(name string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, mode)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, d.failed("open", name, err)
		}
		return os.NewFile(uintptr(fd), d.join(name)), nil
	}
}

// OpenToRead opens a file to read it, and waits until ctx ends for a lease that somebody
// has on it (F_SETLEASE): the kernel has told the holder to give it up, and takes it away
// after /proc/sys/fs/lease-break-time seconds.
func (d *Dir) OpenToRead(ctx context.Context, name string) (*os.File, error) {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		f, err := d.OpenFile(name, os.O_RDONLY, 0)
		if !errors.Is(err, unix.EAGAIN) {
			return f, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: somebody holds a lease on it: %w", err, context.Cause(ctx))
		}
	}
}

// The pauses between two tries to open a file that somebody has a lease on. The kernel
// tells nobody but its holder when it ends; the longest leaves little time to take another.
const (
	leastPause = 5 * time.Millisecond
	mostPause  = 40 * time.Millisecond
)

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string, mode uint32) error {
	return d.failed("mkdir", name, unix.Mkdirat(d.fd(), name, mode))
}

// Symlink makes a symlink.
func (d *Dir) Symlink(target, name string) error {
	return d.failed("symlink", name, unix.Symlinkat(target, d.fd(), name))
}

// Readlink reads a symlink.
func (d *Dir) Readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(d.fd(), name, buf)
	if err != nil {
		return "", d.failed("readlink", name, err)
	}
	return string(buf[:n]), nil
}

// Chown gives an entry to a user and a group.
func (d *Dir) Chown(name string, uid, gid int) error {
	return d.failed("chown", name, unix.Fchownat(d.fd(), name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

// Chtimes sets the times of last access and change of an entry; those of "." are the directory's.
func (d *Dir) Chtimes(name string, access, change unix.Timespec) error {
	return d.failed("chtimes", name, unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{access, change}, unix.AT_SYMLINK_NOFOLLOW))
}

// Remove removes anything but a directory.
func (d *Dir) Remove(name string) error {
	return d.failed("remove", name, unix.Unlinkat(d.fd(), name, 0))
}

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(name string) error {
	return d.failed("rmdir", name, unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR))
}

// Rename gives an entry another name in another directory. What had that name is
// replaced, as rename(2) does. If the power goes before both directories are synced, it
// has the one name or the other.
func (d *Dir) Rename(name string, to *Dir, as string) error {
	return d.moved(name, to, as, unix.Renameat(d.fd(), name, to.fd(), as))
}

// Link gives an entry that is not a directory a second name in another directory of the
// same file system.
func (d *Dir) Link(name string, to *Dir, as string) error {
	return d.moved(name, to, as, unix.Linkat(d.fd(), name, to.fd(), as, 0))
}

// Exchange swaps two entries, at once. If the power goes before both directories are
// synced, they are swapped or not. EXDEV, EINVAL and ENOSYS tell that they cannot be.
func (d *Dir) Exchange(name string, to *Dir, as string) error {
	return d.moved(name, to, as, unix.Renameat2(d.fd(), name, to.fd(), as, unix.RENAME_EXCHANGE))
}

func (d *Dir) moved(name string, to *Dir, as string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: d.join(name), New: to.join(as), Err: err}
}

// Sync makes the names in the directory durable, and its owner, mode and times.
func (d *Dir) Sync() error {
	if err := sync(d.f); err != nil {
		return fmt.Errorf("sync directory %s: %w", d.path, err)
	}
	return nil
}

// SyncAll is SyncFS for all that is below the directory, wherever it is by now. It takes /proc.
func (d *Dir) SyncAll(ctx context.Context) error {
	return SyncFS(ctx, fmt.Sprintf("/proc/self/fd/%d", d.fd()))
}

// WriteFile makes a new file with this content, and syncs it. What has the name already
// is removed. The name is durable after Sync.
func (d *Dir) WriteFile(name string, data []byte, mode uint32) error {
	if err := d.RemoveTree(name); err != nil {
		return err
	}
	return d.create(name, data, mode, (*os.File).Sync)
}

// Create is WriteFile in a tree that SyncAll makes durable as a whole; fs.ErrExist when the
// name is taken.
func (d *Dir) Create(name string, data []byte, mode uint32) error {
	return d.create(name, data, mode, func(*os.File) error { return nil })
}

func (d *Dir) create(name string, data []byte, mode uint32, written func(*os.File) error) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = written(f)
	}
	return errors.Join(err, f.Close())
}
