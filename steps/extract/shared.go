package extract

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// sharedDir makes the shared directory at a host path for a writable directory of the
// version, and returns where it really is. A directory that nobody has used yet gets the
// owner of the service that it is for.
//
// The shared directory and those in it may belong to users that services run as. So
// each is opened in the one before, and a symlink is followed only where nobody but root can
// have made it: an operator may have data elsewhere.
//
// On disk if the power goes meanwhile: any of the directories, the last one perhaps still
// root's, which the next try gives away. It stays when the update is undone: it may hold
// data by then.
func (r *run) sharedDir(dir, host string) (string, error) {
	rel, below := strings.CutPrefix(host, filepath.Clean(r.cfg.Shared)+"/")
	if r.cfg.Shared == "" || !below {
		return "", fmt.Errorf("%s is not in the shared directory %q", host, r.cfg.Shared)
	}
	if err := disk.MkdirAll(r.cfg.Shared, 0o755); err != nil {
		return "", err
	}
	at, err := disk.OpenDir(r.cfg.Shared)
	if err != nil {
		return "", err
	}
	where, err := filepath.EvalSymlinks(r.cfg.Shared)
	roots := true // nobody but root has had a say in the links that were followed
	for name := range strings.SplitSeq(rel, "/") {
		if err != nil {
			break
		}
		var next *disk.Dir
		if next, where, err = enter(at, where, name, &roots); err == nil {
			err = at.Close()
			at = next
		}
	}
	if err == nil && roots {
		err = r.give(at, dir)
	}
	return where, errors.Join(err, at.Close())
}

// enter opens a directory in another, and makes it if it is missing. path is where the other
// really is. Once a link was followed whose way others can change, roots is false: they
// choose where it leads, so nothing is made there.
//
// If the power goes before the sync, the directory is there or not. One that was there is
// synced as well: whoever made it may have been stopped before he did so.
func enter(in *disk.Dir, path, name string, roots *bool) (*disk.Dir, string, error) {
	where := filepath.Join(path, name)
	if *roots {
		err := in.Mkdir(name, 0o755)
		if err == nil || errors.Is(err, fs.ErrExist) {
			err = in.Sync()
		}
		if err != nil {
			return nil, "", err
		}
	} else if _, err := in.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s is missing, and others than root can change the way to it: make it yourself, for the user of its service", where)
	}
	next, err := in.Open(name)
	if !errors.Is(err, disk.ErrNotDirectory) {
		return next, where, err
	}
	parent, perr := in.Stat()
	link, lerr := in.Lstat(name)
	if perr != nil || lerr != nil || !onlyRoots(&parent) || !onlyRoots(&link) || link.Mode&unix.S_IFMT != unix.S_IFLNK {
		return nil, "", fmt.Errorf("%w, and others than root can change it: put the directory itself there", err)
	}
	*roots = *roots && rootsWay(where)
	if where, err = filepath.EvalSymlinks(where); err != nil {
		return nil, "", err
	}
	next, err = disk.OpenDir(where)
	return next, where, err
}

// onlyRoots reports whether only this process's user, root on a device, can change a
// directory or link. The mode of a link says nothing.
func onlyRoots(st *unix.Stat_t) bool {
	return int(st.Uid) == os.Geteuid() && (st.Mode&unix.S_IFMT == unix.S_IFLNK || st.Mode&0o022 == 0)
}

// rootsWay reports whether only root can change where an absolute path leads: each link on
// the way and each directory that has an entry of it is root's. In one that anybody may
// write to, like /tmp, the sticky bit keeps root's own entries. A doubt is a no.
func rootsWay(path string) bool {
	const most = 255 // links and directories on the way
	at, todo := "/", strings.Split(path, "/")
	for range most {
		if len(todo) == 0 {
			return true
		}
		name := todo[0]
		todo = todo[1:]
		if name == "" || name == "." {
			continue
		}
		var dir, entry unix.Stat_t
		next := filepath.Join(at, name)
		if unix.Lstat(at, &dir) != nil || unix.Lstat(next, &entry) != nil || int(dir.Uid) != os.Geteuid() {
			return false
		}
		open := dir.Mode&0o022 != 0
		if open && (dir.Mode&unix.S_ISVTX == 0 || int(entry.Uid) != os.Geteuid()) {
			return false
		}
		if entry.Mode&unix.S_IFMT != unix.S_IFLNK {
			at = next
			continue
		}
		to, err := os.Readlink(next)
		if err != nil {
			return false
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		todo = append(strings.Split(to, "/"), todo...)
	}
	return false
}

// give gives a shared directory that nobody has used yet to the service that it is for, as
// cfg.Owner says. What has an owner, or anything in it, is left as it is.
func (r *run) give(at *disk.Dir, dir string) error {
	if r.cfg.Owner == nil || os.Geteuid() != 0 {
		return nil
	}
	uid, gid, ok := r.cfg.Owner(r.staging, dir)
	if !ok {
		return nil
	}
	st, err := at.Stat()
	if err != nil || st.Uid != 0 {
		return err
	}
	if _, err := at.File().Readdirnames(1); !errors.Is(err, io.EOF) {
		return err
	}
	if err := at.File().Chown(uid, gid); err != nil {
		return err
	}
	return at.Sync()
}
