package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Follow makes the unit files agree with the units a version carries, durably,
// and returns what it did. Follow goes on after a unit that fails. An empty version
// carries no units.
func (s *Store) Follow(version string) (Changes, error) { return s.make(version, false) }

// Complete is Follow, and it writes the drop-ins of the configured services.
func (s *Store) Complete(version string) (Changes, error) { return s.make(version, true) }

// Plan says what Complete would do. It changes nothing.
func (s *Store) Plan(version string) (Changes, error) {
	p, err := s.plan(version, true)
	if err != nil {
		return Changes{}, err
	}
	return p.changes(s.cfg.Root, version), nil
}

// Agrees reports whether Follow has nothing to do.
func (s *Store) Agrees(version string) (bool, error) {
	p, err := s.plan(version, false)
	if err != nil {
		return false, err
	}
	return !p.changes(s.cfg.Root, version).Any(), nil
}

// Sync makes the unit files durable as they are now, for a caller that found that they
// agree. Contents and links were durable before a unit's file got its name, and a
// file that is in the way of another unit is gone only by a rename: the names in the
// directory are all that a killed process can have left in the cache.
func (s *Store) Sync() error {
	dir, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return err
	}
	if err := disk.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Probe tries whether Follow could write the unit files of a version, and leaves
// nothing behind. It does nothing when Follow would have nothing to do. left are the
// units that Follow would not put into effect.
//
// On disk if the power goes meanwhile: at most a temporary of one of the unit files,
// which Follow removes.
func (s *Store) Probe(version string) (left []Left, err error) {
	p, err := s.plan(version, false)
	if err != nil {
		return nil, err
	}
	for _, g := range p.groups {
		for _, one := range g {
			if one.what != Written && one.what != Removed && one.what != Restored && one.what != DropIn {
				continue
			}
			probe := filepath.Join(p.dir, "tope-probe.service") // a name that Follow sweeps
			if err := disk.ProbeLink(probe, os.DevNull); err != nil {
				return p.left, fmt.Errorf("unit files cannot be written to %s: %w", etc, err)
			}
			return p.left, nil
		}
	}
	return p.left, nil
}

func (p *plan) changes(root disk.Root, version string) Changes {
	c := Changes{Version: version, Changes: []Change{}, Left: p.left}
	for _, g := range p.groups {
		for _, one := range g {
			c.Changes = append(c.Changes, Change{one.what, root.Device(one.host)})
		}
	}
	return c
}

func (s *Store) make(version string, configured bool) (Changes, error) {
	unlock, err := s.lock()
	if err != nil {
		return Changes{}, err
	}
	defer unlock()
	p, err := s.plan(version, configured)
	if err != nil {
		return Changes{}, err
	}
	done := Changes{Version: version, Changes: []Change{}, Left: p.left}
	var errs []error
	for _, g := range p.groups {
		for i, one := range g {
			if i == 0 {
				err = disk.MkdirAll(p.dir, 0o755)
			}
			if err == nil {
				err = one.do()
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("unit file %s cannot be %s: %w", s.cfg.Root.Device(one.host), one.what, err))
				break
			}
			done.Changes = append(done.Changes, Change{one.what, s.cfg.Root.Device(one.host)})
		}
	}
	if p.settled {
		errs = append(errs, disk.SyncDir(p.dir))
	}
	return done, errors.Join(errs...)
}

// lock keeps two processes from changing unit files at the same time. Without the
// directory there is nothing to protect yet.
func (s *Store) lock() (unlock func(), err error) {
	dir, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", etc, err)
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", etc, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks
}
