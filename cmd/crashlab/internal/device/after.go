//go:build linux && amd64

package device

import (
	"context"
	"errors"
	"hash/maphash"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

// unmoved checks that f changes nothing on the device.
func (d *Device) unmoved(what string, f func() error) error {
	seed := maphash.MakeSeed()
	before, err := sweep.Digest(d.root, seed, d.Volatile)
	if err != nil {
		return err
	}
	seen, err := d.look()
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := sweep.Digest(d.root, seed, d.Volatile)
	if err != nil || after == before {
		return err
	}
	now, err := d.look()
	if err != nil {
		return err
	}
	return sweep.Violate("%s changed the device (journal record %d, then %d)", what, seen.seq(), now.seq())
}

// leadsToWhole checks one pointer.
func (d *Device) leadsToWhole(name, version string) error {
	r, err := d.flow.release(version)
	if err != nil {
		return sweep.Violate("%s leads to %q: %v", name, version, err)
	}
	if err := r.whole(filepath.Join(d.root, versionsDir, "v"+version)); err != nil {
		return sweep.Violate("%s leads to version %s, which is not whole: %v", name, version, err)
	}
	return nil
}

// tidy checks that nothing temporary is left.
func (d *Device) tidy() error {
	for dir, allowed := range map[string]func(string) bool{
		versionsDir: func(n string) bool {
			return strings.HasPrefix(n, "v") || n == "current" || n == "previous" || n == "factory"
		},
		"var/lib/tope-updater":      func(n string) bool { return n == "journal.db" || n == "shown.json" || n == "work" },
		"var/lib/tope-updater/work": func(string) bool { return false },
		binDir:                      func(n string) bool { return !strings.HasPrefix(n, ".") },
		servicesDir:                 func(n string) bool { return !strings.HasPrefix(n, ".") },
	} {
		entries, err := os.ReadDir(filepath.Join(d.root, dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if !allowed(e.Name()) {
				return sweep.Violate("%s/%s is left behind", dir, e.Name())
			}
		}
	}
	return nil
}

// next checks that the device takes another boot without a change, and another
// update; after a failed call, first the same update again.
func (d *Device) next(ctx context.Context, s sweep.Story, end End) error {
	m, err := d.boot(sweep.Watch{})
	if err != nil {
		return err
	}
	defer m.Off()
	if err := d.unmoved("another boot", func() error { return d.mustRecover(ctx, m, s) }); err != nil {
		return err
	}
	if err := m.services(ctx); err != nil {
		return err
	}
	if s.Fault != "" {
		if err := d.sameAgain(ctx, m, end); err != nil {
			return err
		}
	}
	exit, err := m.updater(ctx, false, "install", d.flow.later())
	if err != nil && !errors.Is(err, errHung) {
		return err
	}
	f, lerr := d.look()
	if lerr != nil {
		return lerr
	}
	if err != nil || exit != 0 || f.current != later().Version || f.journal == nil || f.journal.Last == nil || f.journal.Last.State != "Committed" {
		return sweep.Violate("the next update does not work: it ended with %d (%v), current is %s", exit, err, orNone(f.current))
	}
	if err := d.leadsToWhole("current", later().Version); err != nil {
		return err
	}
	return d.linksOf(later().Version)
}

// sameAgain tries the update once more, now that nothing disturbs it.
func (d *Device) sameAgain(ctx context.Context, m *machine, end End) error {
	exit, err := m.updater(ctx, false, d.flow.Args...)
	if err != nil && !errors.Is(err, errHung) {
		return err
	}
	allowed := []int{d.flow.Exit}
	if end.State == "Committed" || end.Previous == end.Current {
		allowed = append(allowed, 2) // nothing to do, or nowhere to go back to
	}
	if d.flow.Exit != 0 && (end.State == "RolledBack" || end.State == "FellBack" || end.State == "NeedsAttention") {
		allowed = append(allowed, 10) // its gate has failed: quarantined
	}
	if err != nil || !slices.Contains(allowed, exit) {
		return sweep.Violate("the same update does not work afterwards: it ended with %d (%v), allowed are %v", exit, err, allowed)
	}
	return nil
}
