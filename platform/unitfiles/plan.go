package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// What says what is done to a file.
type What string

// The kinds of a Change.
const (
	Written  What = "written"
	Removed  What = "removed"
	Kept     What = "kept"     // somebody else's unit file, put aside
	Restored What = "restored" // and put back
	Enabled  What = "enabled"
	Disabled What = "disabled"
	DropIn   What = "drop-in written"
	NoDropIn What = "drop-in removed"
	// Prepared is a unit's file under a temporary name, Swept one that is removed.
	Prepared What = "prepared"
	Swept    What = "swept"
)

// Change is one change to a file, with the device's path.
type Change struct {
	What What   `json:"what"`
	Path string `json:"path"`
}

// Left is a unit of the version that is not put into effect.
type Left struct {
	Unit string `json:"unit"`
	Why  string `json:"why"`
}

// Changes is what Follow did, or what Complete would do (Plan).
type Changes struct {
	Version string   `json:"version"`
	Changes []Change `json:"changes"`
	Left    []Left   `json:"left,omitempty"`
}

// Any reports whether systemd has to read its units again.
func (c Changes) Any() bool {
	return slices.ContainsFunc(c.Changes, func(c Change) bool { return c.What != Prepared && c.What != Swept && c.What != Kept })
}

// Own reports whether the daemon's own unit has changed, and so the sandbox of the next
// daemon.
func (c Changes) Own() bool {
	return slices.ContainsFunc(c.Changes, func(c Change) bool { return filepath.Base(filepath.Dir(c.Path)) == DaemonUnit+".d" })
}

// change is a Change and how to make it.
type change struct {
	what What
	host string
	do   func() error
}

// group is a list of changes, each of which waits for those before it.
type group []change

func (g *group) add(what What, host string, do func() error) { *g = append(*g, change{what, host, do}) }

// plan lists the changes to make, unit by unit. Among those of one unit the
// order matters: see remove and place.
type plan struct {
	dir    string
	groups []group
	left   []Left
	// settled: files that are right already are made durable too, since their
	// writer may have been killed before it synced them.
	settled bool
}

func (s *Store) plan(version string, configured bool) (*plan, error) {
	dir, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return nil, err
	}
	p := &plan{dir: dir}
	var units []Unit
	if units, p.left, err = s.carried(version); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list %s: %w", etc, err)
	}
	carried := func(name string) bool {
		return slices.ContainsFunc(units, func(u Unit) bool { return u.Name == name })
	}
	for _, e := range entries {
		if err := s.old(p, e, carried); err != nil {
			return nil, err
		}
	}
	p.settled = len(units) > 0
	var services []string
	for _, u := range units {
		placed, err := s.place(p, u)
		if err != nil {
			return nil, err
		}
		if _, ok := u.Service(); ok && placed {
			services = append(services, u.Name)
		}
	}
	if err := s.dropIns(p, entries, services, configured); err != nil {
		return nil, err
	}
	return p, nil
}

// old plans what becomes of an entry that the version does not carry: a unit of
// another version, or a file that a cut left.
func (s *Store) old(p *plan, e fs.DirEntry, carried func(string) bool) error {
	name := e.Name()
	hidden, isHidden := strings.CutPrefix(name, ".")
	switch {
	case isHidden && stray(name):
		p.sweep(filepath.Join(p.dir, name))
		return nil
	case isHidden:
		unit, pending := strings.CutSuffix(hidden, pendingSuffix)
		if pending && CheckName(unit) == nil {
			return s.pending(p, unit, carried(unit))
		}
		unit, ok := strings.CutSuffix(hidden, keptSuffix)
		if !ok {
			return nil
		}
		name = unit
	case e.IsDir() && (strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires")):
		links, err := os.ReadDir(filepath.Join(p.dir, name))
		if err != nil {
			return fmt.Errorf("cannot list links: %w", err)
		}
		for _, l := range links {
			if stray(l.Name()) {
				p.sweep(filepath.Join(p.dir, name, l.Name()))
			}
		}
		return nil
	}
	if !carried(name) && CheckName(name) == nil {
		return s.remove(p, name, isHidden)
	}
	return nil
}

// stray says whether a name is one that only a cut can have left: a temporary of
// a unit's file, of its link, or of its pending file.
func stray(name string) bool {
	hidden, ok := strings.CutPrefix(name, ".")
	unit, temporary := strings.CutSuffix(hidden, disk.TempSuffix)
	if inner, pending := strings.CutSuffix(unit, pendingSuffix); pending {
		unit = strings.TrimPrefix(inner, ".")
	}
	return ok && temporary && CheckName(unit) == nil
}

func (p *plan) sweep(host string) {
	p.groups = append(p.groups, group{{Swept, host, func() error { return disk.RemoveTree(host) }}})
}

// pending continues with a unit's links where a cut has left them.
func (s *Store) pending(p *plan, unit string, carried bool) error {
	host := filepath.Join(p.dir, unit)
	if exists(host) || carried {
		if exists(host) {
			p.sweep(pendingName(host))
		}
		return nil // place goes on with it
	}
	var g group
	if err := s.disable(p, &g, host); err != nil {
		return err
	}
	p.groups = append(p.groups, g)
	return nil
}

// disable removes a unit's links, and then the pending file that says they are ours.
func (s *Store) disable(p *plan, g *group, host string) error {
	unit := filepath.Base(host)
	var links []string
	at, err := s.vendor(unit)
	if err == nil && at == "" {
		links, err = linksTo(p.dir, unit)
	}
	if err != nil {
		return err
	}
	for _, l := range links {
		g.add(Disabled, l, func() error { return disk.RemoveLink(l) })
	}
	pending := pendingName(host)
	g.add(Swept, pending, func() error { return removeFile(pending) })
	return nil
}

// remove removes a unit that no version needs. Its file is renamed first and
// removed last: the file shows that the links are the updater's.
func (s *Store) remove(p *plan, name string, kept bool) error {
	host := filepath.Join(p.dir, name)
	info, err := os.Lstat(host)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return fmt.Errorf("cannot look at %s: %w", host, err)
	}
	mine := false
	if !gone && info.Mode().IsRegular() {
		if mine, err = ours(host, header); err != nil {
			return fmt.Errorf("cannot read %s: %w", host, err)
		}
	}
	aside := keptName(host)
	keptInfo, err := os.Lstat(aside)
	hasKept := err == nil
	var g group
	switch {
	case kept && (mine || !hasKept):
		return nil // the unit's own entry sees to it
	case hasKept && (mine || gone):
		// The updater has never changed whether it is enabled.
		g.add(Restored, host, func() error { return rename(aside, host) })
	case hasKept && kept && os.SameFile(info, keptInfo):
		// The power went before our file took its place.
		g.add(Swept, aside, func() error { return removeFile(aside) })
	case mine && !kept:
		// If the power goes now, the unit is gone and its links lead nowhere,
		// which systemd passes over.
		g.add(Removed, host, func() error { return rename(host, pendingName(host)) })
		if err := s.disable(p, &g, host); err != nil {
			return err
		}
	}
	p.groups = append(p.groups, g)
	return nil
}

// place puts a unit of the version into effect. The old file is kept and the
// links are made before the new file gets its name: from then on the unit counts
// as known, and the operator decides whether it is enabled. If the power goes in
// between, links lead to a unit that does not exist, and the pending file says
// whose they are.
func (s *Store) place(p *plan, u Unit) (bool, error) {
	host := filepath.Join(p.dir, u.Name)
	want := append([]byte(header), u.text...)
	var g group
	info, err := os.Lstat(host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		at, err := s.vendor(u.Name)
		if err != nil {
			return false, err
		}
		if at != "" && !s.listed(u.Name) {
			p.left = append(p.left, Left{u.Name, "the system has a unit of this name, " + at + ", and the device does not list it"})
			return false, nil
		}
		pending := pendingName(host)
		g.add(Prepared, pending, func() error { return disk.WriteFile(pending, want, 0o644) })
		for _, d := range u.wanted {
			link := filepath.Join(p.dir, d, u.Name)
			if _, err := os.Lstat(link); err == nil || at != "" {
				continue // the updater never changes whether a package's unit is enabled
			}
			g.add(Enabled, link, func() error { return enable(link, etc+"/"+u.Name) })
		}
		g.add(Written, host, func() error { return rename(pending, host) })
		p.groups = append(p.groups, g)
		return true, nil
	case err != nil:
		return false, fmt.Errorf("cannot look at %s: %w", host, err)
	case info.IsDir():
		p.left = append(p.left, Left{u.Name, host + " is a directory"})
		return false, nil
	default:
		if masked(host, info) {
			p.left = append(p.left, Left{u.Name, "it is masked"})
			return false, nil
		}
		have, mine, err := content(host, info)
		if err != nil {
			return false, err
		}
		if mine && string(have) == string(want) {
			return true, nil
		}
		if aside := keptName(host); !mine && !sameFile(aside, info) {
			g.add(Kept, host, func() error { return keep(host, aside) })
		}
	}
	// On disk if the power goes during this: the old file or the new one.
	g.add(Written, host, func() error { return disk.WriteFile(host, want, 0o644) })
	p.groups = append(p.groups, g)
	return true, nil
}
