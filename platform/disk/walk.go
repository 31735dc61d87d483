package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Visit is called with a slash-separated path relative to the root; "." is the
// root itself. The info is Lstat's.
type Visit func(path string, info fs.FileInfo) error

// Walk visits a tree through root, entries in order of name, following no
// symlink. Before is called for every entry, and for a directory before it is
// read; after for directories only, when all they hold has been visited.
// Either may be nil. Unlike fs.WalkDir it takes names that are not valid UTF-8.
func Walk(root *os.Root, before, after Visit) error {
	return walk(root, ".", before, after)
}

func walk(root *os.Root, name string, before, after Visit) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if before != nil {
		if err := before(name, info); err != nil {
			return err
		}
	}
	if !info.IsDir() {
		return nil
	}
	entries, err := readNames(root, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := walk(root, path.Join(name, entry), before, after); err != nil {
			return err
		}
	}
	if after != nil {
		return after(name, info)
	}
	return nil
}

func readNames(root *os.Root, dir string) (names []string, err error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err = f.Readdirnames(-1)
	err = errors.Join(err, f.Close())
	slices.Sort(names)
	return names, err
}
