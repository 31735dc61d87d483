package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
)

// source is the file with the URL of an update, secrets included, for an update whose
// URL has any. Only the updater's user may read it. It is not a part of the journal, of
// which people pass copies on.
func (k keeper) source(update string) string { return filepath.Join(k.WorkDir(update), "source") }

// longestSource bounds that file, in bytes.
const longestSource = 2 * source.MaxURL

// KeepSource implements engine.Keeper. If the power goes before it has returned, there is
// a directory of an update that was never accepted, with the file or without it, and the
// next start removes it.
func (k keeper) KeepSource(update string, url source.URL) error {
	if err := k.MakeWorkDir(update); err != nil {
		return err
	}
	return disk.WriteFile(k.source(update), []byte(url.Unredacted()), 0o600)
}

// Source implements engine.Keeper.
func (k keeper) Source(update string) (source.URL, error) {
	path := k.source(update)
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return source.URL{}, err
	case !info.Mode().IsRegular() || info.Size() > longestSource:
		return source.URL{}, fmt.Errorf("%s is not a file that the updater has written", path)
	}
	text, err := os.ReadFile(path)
	return source.New(string(text)), err
}

// wipe overwrites a file with secrets before it is removed, so that its bytes do not stay
// in blocks that the file system has freed. That holds for a file system that writes in
// place (ext4, XFS): one that copies on write, and the flash below any of them, may keep
// the old bytes until they are needed.
//
// If the power goes here, the file has the secrets, zeros, or something of both, and its
// directory is removed by the next start.
func wipe(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && !info.Mode().IsRegular() {
		return nil // none, or nothing that KeepSource has written
	}
	if err == nil {
		err = overwrite(path, min(info.Size(), longestSource))
	}
	if err != nil {
		return fmt.Errorf("cannot wipe the URL's secrets: %w", err)
	}
	return nil
}

// overwrite writes zeros over the beginning of a file, and syncs it.
func overwrite(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, size))
	return errors.Join(err, f.Sync(), f.Close())
}
