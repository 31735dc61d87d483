package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrNotLink means that a file or directory has the symlink's name. It is left alone.
var ErrNotLink = errors.New("not a symlink")

// SwapLink makes path a symlink to target, atomically and durably: at any
// instant path leads to its old target or its new one; a link that was there is
// never missing. A file or directory at path is left alone and ErrNotLink returned.
//
// A link that is right already is synced all the same: its maker may have been
// killed before it was durable.
func SwapLink(path, target string) error {
	have, err := readLink(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || have != target {
		if err := PlaceLink(path, target); err != nil {
			return err
		}
	}
	// The name is new but maybe only in memory: if the power goes before this
	// returns, path is found with its old target or with the new one.
	return SyncDir(filepath.Dir(path))
}

// PlaceLink is SwapLink without the sync of the directory, for callers that
// place many links in one directory and call SyncDir once.
func PlaceLink(path, target string) error {
	if _, err := readLink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := freshTemp(path)
	if err != nil {
		return err
	}
	// On disk if the power goes now: the old link, and perhaps a stray
	// temporary that the next call removes.
	if err := os.Symlink(target, tmp); err != nil {
		return fmt.Errorf("make link: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("swap link: %w", err), os.Remove(tmp))
	}
	return nil
}

// RemoveLink removes a symlink durably. An absent one is synced too: its
// removal may not be on disk yet. Anything but a symlink is left alone (ErrNotLink).
func RemoveLink(path string) error {
	if err := UnplaceLink(path); err != nil {
		return err
	}
	// On disk if the power goes before this returns: the link, or no link.
	return SyncDir(filepath.Dir(path))
}

// UnplaceLink is RemoveLink without the sync of the directory.
func UnplaceLink(path string) error {
	_, err := readLink(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove link: %w", err)
	}
	return nil
}

// ProbeLink tries whether PlaceLink could make a link, and leaves nothing behind. Where
// the directory does not exist, the nearest one above it must be writable.
//
// On disk if the power goes now: at most the temporary that PlaceLink would make too,
// and removes.
func ProbeLink(path, target string) error {
	dir := filepath.Dir(path)
	for {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dir = filepath.Dir(dir)
	}
	if dir != filepath.Dir(path) {
		// A file without a name shows that a directory could be made, and is gone
		// whatever happens.
		f, err := os.OpenFile(dir, os.O_WRONLY|unix.O_TMPFILE, 0o600)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
			return nil // this file system has no such files
		}
		if err != nil {
			return err
		}
		return f.Close()
	}
	tmp, err := freshTemp(path)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Remove(tmp)
}

// readLink returns a symlink's target; ErrNotLink for anything else at path.
func readLink(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return "", fmt.Errorf("%s: %w", path, ErrNotLink)
	}
	return os.Readlink(path)
}

// TempName is the one temporary name used beside path. It is the same every
// time, so that the next writer of path also removes what a killed predecessor
// left.
func TempName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+TempSuffix)
}

// TempSuffix ends every temporary name, which begins with a dot.
const TempSuffix = ".tmp"

// freshTemp is TempName after removing whatever has that name: even a directory
// must not block the next update.
func freshTemp(path string) (string, error) {
	tmp := TempName(path)
	err := os.Remove(tmp)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return tmp, nil
	}
	if err := RemoveTree(tmp); err != nil {
		return "", fmt.Errorf("clear a stale temporary: %w", err)
	}
	return tmp, nil
}
