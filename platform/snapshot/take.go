package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tope/updater/platform/disk"
)

// Size is what a set of directories holds.
type Size struct {
	// Paths are the directories that are there, outermost ones only.
	Paths []string `json:"paths"`
	Bytes uint64   `json:"bytes"`
	Files uint64   `json:"files"`
}

// block is the unit to which the size of a file is rounded up.
const block = 4096

// Measure returns the size of a set of directories, whose paths are relative to
// the shared directory. A missing one is left out. One that cannot be exchanged
// for its copy later (a link, another file system) is an error.
func (s *Store) Measure(ctx context.Context, paths []string) (Size, error) {
	var size Size
	for _, p := range outermost(paths) {
		info, err := os.Lstat(s.live(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return size, fmt.Errorf("measure: %w", err)
		}
		if !info.IsDir() {
			return size, fmt.Errorf("%s is not a directory: no snapshot can be taken of it", s.live(p))
		}
		shared, err := os.Stat(s.dir)
		if err != nil {
			return size, fmt.Errorf("measure: %w", err)
		}
		if device(shared) != device(info) {
			return size, fmt.Errorf("%s is on another file system than %s: no snapshot can be put back there", s.live(p), s.dir)
		}
		if err := s.measure(ctx, p, &size); err != nil {
			return size, err
		}
		size.Paths = append(size.Paths, p)
	}
	return size, nil
}

func (s *Store) measure(ctx context.Context, p string, size *Size) error {
	root, err := os.OpenRoot(s.live(p))
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	defer root.Close()
	err = disk.Walk(root, func(_ string, info fs.FileInfo) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		size.Files++
		if info.Mode().IsRegular() {
			size.Bytes += (uint64(info.Size()) + block - 1) / block * block
		} else {
			size.Bytes += block
		}
		return nil
	}, nil)
	if err != nil {
		return fmt.Errorf("measure %s: %w", s.live(p), err)
	}
	return nil
}

func device(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Dev
}

// Taken is what Take copied.
type Taken struct {
	Paths []string `json:"paths"`
	// Bytes and Files were copied; Cloned of the files share their blocks with
	// the original. Skipped are sockets, pipes and devices.
	Bytes   int64 `json:"bytes"`
	Files   int   `json:"files"`
	Cloned  int   `json:"cloned"`
	Skipped int   `json:"skipped,omitempty"`
}

// Take makes the update's set of these directories, in place of an earlier one.
// Nothing may write to them meanwhile. When none of them exists it makes nothing.
func (s *Store) Take(ctx context.Context, update string, paths []string) (Taken, error) {
	var taken Taken
	size, err := s.Measure(ctx, paths)
	if err != nil {
		return taken, err
	}
	old, err := s.index(update)
	if err != nil {
		return taken, err
	}
	if there, err := exists(s.set(update)); err != nil {
		return taken, err
	} else if there || old != nil {
		if err := s.drop(update); err != nil {
			return taken, err
		}
	}
	if len(size.Paths) == 0 {
		return taken, nil
	}
	tmp := s.set(update) + disk.TempSuffix
	if err := disk.RemoveTree(tmp); err != nil {
		return taken, err
	}
	// Only the updater may look into it: the files in it have the modes and owners
	// of the originals.
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return taken, fmt.Errorf("snapshot: %w", err)
	}
	taken.Paths = size.Paths
	for _, p := range size.Paths {
		to := filepath.Join(tmp, dataName, filepath.FromSlash(p))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return taken, fmt.Errorf("snapshot: %w", err)
		}
		if err := copyTree(ctx, s.live(p), to, update, &taken); err != nil {
			return taken, fmt.Errorf("snapshot of %s: %w", s.live(p), err)
		}
	}
	data, err := json.Marshal(index{Schema: 1, Update: update, Paths: size.Paths})
	if err != nil {
		return taken, err
	}
	if err := os.WriteFile(filepath.Join(tmp, indexName), append(data, '\n'), 0o600); err != nil {
		return taken, fmt.Errorf("snapshot: %w", err)
	}
	// If the power goes before this: any part of it under its temporary name,
	// which the next try removes. Before the rename is durable: the whole set
	// under either name.
	if err := disk.SyncFS(ctx, tmp); err != nil {
		return taken, err
	}
	return taken, disk.Publish(tmp, s.set(update))
}

// Fits checks that there is room for a set of this size; a lack of it is a
// disk.ErrNoSpace. Where files can share their blocks a set needs only names.
func (s *Store) Fits(size Size) error {
	need := size.Bytes
	if len(size.Paths) == 0 {
		return nil
	}
	if CanClone(s.dir) {
		need = size.Files * block
	}
	return disk.Preflight(s.dir, need, size.Files)
}
