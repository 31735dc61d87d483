package snapshot

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
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
// the shared directory, by what they take on the disk: holes in files count for nothing. A
// missing one is left out. One that cannot be exchanged
// for its copy later (a link, another file system) is an error; ErrTooMuch when the limits
// do not suffice, which is found in no more time than they allow.
func (s *Store) Measure(ctx context.Context, paths []string) (Size, error) {
	var size Size
	shared, err := disk.OpenDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return size, nil
	}
	if err != nil {
		return size, fmt.Errorf("measure: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.Measure, &CostError{Doing: "measuring", Limit: s.limits.Measure})
	defer cancel()
	m := measure{ctx: ctx, limits: s.limits, clones: CanClone(s.dir)}
	for _, p := range outermost(paths) {
		err := m.tree(shared, p, &size)
		if cost := (*CostError)(nil); errors.As(err, &cost) {
			err = &CostError{s.live(p), size.Files, size.Bytes, cost.Doing, cost.Limit}
		}
		if err != nil {
			return size, errors.Join(err, shared.Close())
		}
	}
	return size, shared.Close()
}

// ErrElsewhere means that data is not on the file system of the shared directory.
var ErrElsewhere = errors.New("another file system")

type measure struct {
	ctx    context.Context
	limits Limits
	clones bool
}

func (m measure) tree(shared *disk.Dir, p string, size *Size) error {
	tree, err := shared.Descend(p)
	host := filepath.Join(shared.Path(), filepath.FromSlash(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, disk.ErrNotDirectory) {
		return fmt.Errorf("no snapshot can be taken of %s: %w", host, explained(err))
	}
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	defer tree.Close()
	top, err := shared.Stat()
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	st, err := tree.Stat()
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	if st.Dev != top.Dev {
		return fmt.Errorf("no snapshot can be put back at %s: it is on %w than %s", host, ErrElsewhere, shared.Path())
	}
	if err := disk.NothingMounted(host); err != nil {
		return fmt.Errorf("no snapshot can be put back at %s: %w", host, err)
	}
	count := func(st *unix.Stat_t) error {
		if m.ctx.Err() != nil {
			return context.Cause(m.ctx)
		}
		size.Files++
		size.Bytes += taken(st)
		if m.limits.exceeds(size.Files, size.Bytes, m.clones) {
			return &CostError{Doing: "copying", Limit: m.limits.Copy}
		}
		return nil
	}
	if err := count(&st); err != nil {
		return err
	}
	err = tree.Walk(disk.Tour{Entry: func(_ *disk.Dir, _ string, st *unix.Stat_t) error { return count(st) }})
	if err != nil {
		return fmt.Errorf("measure %s: %w", host, err)
	}
	size.Paths = append(size.Paths, p)
	return nil
}

// taken is what an entry takes on the disk, at least a block.
func taken(st *unix.Stat_t) uint64 {
	const unit = 512 // of st_blocks: stat(2)
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Blocks <= 0 {
		return block
	}
	return (uint64(st.Blocks)*unit + block - 1) / block * block
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
// Nothing should write to them meanwhile: what a stray process changes is in the copy or
// not. When none of them exists it makes nothing. ErrTooMuch when it takes longer than the
// limits allow.
func (s *Store) Take(ctx context.Context, update string, paths []string) (Taken, error) {
	var taken Taken
	if err := validUpdate(update); err != nil {
		return taken, err
	}
	size, err := s.Measure(ctx, paths)
	if err != nil {
		return taken, err
	}
	if err := s.dropAll(update); err != nil {
		return taken, err
	}
	if len(size.Paths) == 0 {
		return taken, nil
	}
	home, err := s.home()
	if err != nil {
		return taken, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, s.limits.Copy, &CostError{Doing: "copying", Limit: s.limits.Copy})
	defer cancel()
	c := newCopier(limited, &taken)
	err = s.take(c, home, update, size.Paths)
	if cost := (*CostError)(nil); errors.As(err, &cost) {
		err = &CostError{s.live(size.Paths[max(0, len(taken.Paths)-1)]), size.Files, size.Bytes, cost.Doing, cost.Limit}
	}
	return taken, errors.Join(err, home.Close())
}

// dropAll removes what has the name of the update's set, wherever it is.
func (s *Store) dropAll(update string) error {
	homes, err := s.homes()
	errs := []error{err}
	for _, home := range homes {
		for _, name := range []string{setName(update), setName(update) + disk.TempSuffix} {
			if _, err := home.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			errs = append(errs, s.drop(home, strings.TrimPrefix(name, versions.SnapshotPrefix)))
		}
		errs = append(errs, home.Close())
	}
	return errors.Join(errs...)
}

func (s *Store) take(c *copier, home *disk.Dir, update string, paths []string) error {
	tmp := setName(update) + disk.TempSuffix
	// Only the updater may look into it: the files in it have the modes and owners
	// of the originals.
	if err := home.Mkdir(tmp, 0o700); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	dir, err := home.Open(tmp)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer dir.Close()
	if st, err := dir.Stat(); err != nil || !ours(&st) {
		return errors.Join(fmt.Errorf("snapshot: somebody else has made %s", dir.Path()), err)
	}
	shared, err := disk.OpenDir(s.dir)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer shared.Close()
	about := index{Schema: 2, Update: update, Paths: paths, Stamp: stampPrefix + update + "-" + rand.Text()}
	for _, p := range paths {
		c.taken.Paths = append(c.taken.Paths, p)
		if err := c.tree(shared, p, dir, about.Stamp); err != nil {
			return fmt.Errorf("snapshot of %s: %w", s.live(p), err)
		}
	}
	data, err := json.Marshal(about)
	if err != nil {
		return err
	}
	if err := dir.Create(indexName, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	// If the power goes before this: any part of it under its temporary name,
	// which the next try removes. Before the rename is durable: the whole set
	// under either name.
	if err := dir.SyncAll(c.ctx); err != nil {
		return err
	}
	if err := home.Rename(tmp, home, setName(update)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return home.Sync()
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
