package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TrashPrefix begins the names of trees that wait to be deleted.
const TrashPrefix = ".trash-"

// Publish gives a tree its final name, durably. The caller has synced the tree
// (SyncFS): the name must not be on disk before the tree is. A name that is taken
// is refused with fs.ErrExist.
func Publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return SyncPublished(from, to)
}

// SyncPublished makes a Publish durable that may have been cut between its
// rename and its syncs.
func SyncPublished(from, to string) error {
	// On disk if the power goes before this: the whole tree under its old
	// name or its new one, never a part of it under the new one.
	if err := SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return SyncDir(filepath.Dir(from))
}

// Trash takes the name away from a tree, durably, and returns where it waits
// for RemoveTree: a .trash- name in the same directory. Deleting under the old
// name instead could leave half a tree there that looks like a whole one.
func Trash(path string) (string, error) {
	dir, base := filepath.Split(filepath.Clean(path))
	for n := 0; ; n++ {
		to := filepath.Join(dir, fmt.Sprintf("%s%s-%d", TrashPrefix, base, n))
		if _, err := os.Lstat(to); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("trash %s: %w", path, err)
		}
		// Within the same parent the owner can rename even a read-only directory:
		// only a new parent, which changes its "..", needs write permission on it.
		if err := os.Rename(path, to); err != nil {
			return "", fmt.Errorf("trash: %w", err)
		}
		// On disk if the power goes before this: the whole tree, under its
		// old name or in the trash.
		return to, SyncDir(dir)
	}
}

// RemoveTree deletes whatever is at path: a tree, its read-only directories
// included, a file or a link. Nothing at path is fine. It follows no link and never
// leaves path's parent directory. The deletion is not synced: the caller first
// trashes a tree that must not come back under its name.
func RemoveTree(path string) error {
	path = filepath.Clean(path)
	parent, err := os.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	defer parent.Close()
	base := filepath.Base(path)
	// Taking an entry out needs write permission on its directory, which
	// published versions do not give, not even to their owner.
	open := func(name string, info fs.FileInfo) error {
		const owner = 0o700
		if !info.IsDir() || info.Mode().Perm()&owner == owner {
			return nil
		}
		return parent.Chmod(name, info.Mode().Perm()|owner)
	}
	err = walk(parent, base, open, nil)
	if err == nil {
		err = parent.RemoveAll(base)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
