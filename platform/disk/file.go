package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes path a regular file with this content and mode, whatever the
// umask, atomically and durably: a reader, or the next boot, finds the old file
// or the new one, whole.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	return WriteFrom(path, bytes.NewReader(data), mode)
}

// WriteFrom is WriteFile with all that r yields. When r fails, path is as it was.
func WriteFrom(path string, r io.Reader, mode fs.FileMode) error {
	tmp, err := freshTemp(path)
	if err != nil {
		return err
	}
	// On disk if the power goes from here on: the old file, and perhaps a
	// temporary of any content, which the next call removes.
	if err := writeSynced(tmp, r, mode); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), removeIfThere(tmp))
	}
	// The content is durable before its name is: this order is why a torn file
	// is never found under the final name.
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), removeIfThere(tmp))
	}
	return SyncDir(filepath.Dir(path))
}

func writeSynced(path string, r io.Reader, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MkdirAll makes a directory and its missing parents, durably. What exists is
// left as it is, except that the newest directory found is made durable too:
// its maker may have been killed before it synced that.
func MkdirAll(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	parent := filepath.Dir(path)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("make directory %s: a file is in its place", path)
	case err == nil:
		if parent == path {
			return nil
		}
		return SyncDir(parent)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("make directory: %w", err)
	}
	if err := MkdirAll(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	// Parents first, each synced before the next is made: if the power goes
	// now, what is found is some first part of the path.
	return SyncDir(parent)
}
