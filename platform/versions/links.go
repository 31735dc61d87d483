package versions

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

// LinkState says whether a link outside versions/ is as it should be.
type LinkState string

// A link is one of these.
const (
	// LinkRight goes through current to the entry of its name.
	LinkRight LinkState = "right"
	// LinkMissing is not there, though the version has the entry.
	LinkMissing LinkState = "missing"
	// LinkBlocked: a file, a directory or somebody's own link has the name.
	LinkBlocked LinkState = "blocked"
	// LinkStale goes through current to an entry the version does not have.
	LinkStale LinkState = "stale"
)

// Updater is the name of the updater in a version's bin directory. There is no
// link to it: a call by name, in a rescue shell say, must reach the committed
// updater, and never one that has still to prove itself.
const Updater = "tope-updater"

// Link is one symlink from Bin or Services through current.
type Link struct {
	// Path is the device's.
	Path   string    `json:"path"`
	Target string    `json:"target"`
	State  LinkState `json:"state"`
}

// BlockedError lists links that could not be made because something else has
// their name. It is an ErrForeign.
type BlockedError struct{ Paths []string }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%s: %v; move it away (\"links --adopt\" does) to get the link through current", strings.Join(e.Paths, ", "), ErrForeign)
}

// Is makes errors.Is(err, ErrForeign) true.
func (e *BlockedError) Is(target error) bool { return target == ErrForeign }

// Links compares the links there are with those that a version should have:
// one for each entry of its bin and services directories, but for the updater and for
// what leads out of the version from bin.
func (s *Store) Links(version string) ([]Link, error) {
	if err := s.usable(version); err != nil {
		return nil, err
	}
	places, err := s.places()
	if err != nil {
		return nil, err
	}
	var links []Link
	for _, p := range places {
		some, err := s.linksAt(p, version)
		if err != nil {
			return nil, err
		}
		links = append(links, some...)
	}
	return links, nil
}

// LinkPath is the device path of the link to an entry, such as "bin/device-api",
// of a version's bin or services directory.
func (s *Store) LinkPath(entry string) string {
	part, name, _ := strings.Cut(entry, "/")
	dir := s.cfg.Bin
	if part == "services" {
		dir = s.cfg.Services
	}
	return filepath.Join(dir, name)
}

// EnsureLinks makes the links that are missing for a version, durably, with the
// directories they are in, and returns the device paths of those made. Until
// current leads to the version the new links dangle, which does no harm. Anything
// else that has a link's name is never replaced: it is reported as a
// *BlockedError after all other links have been made.
//
// Links that were right already are made durable too: their maker may have been
// killed before it synced them, and nobody looks at them again once current leads to
// the version.
func (s *Store) EnsureLinks(version string) (added []string, err error) {
	links, err := s.Links(version)
	if err != nil {
		return nil, err
	}
	blocked := new(BlockedError)
	var dirs []string
	for _, link := range links {
		switch link.State {
		case LinkBlocked:
			blocked.Paths = append(blocked.Paths, link.Path)
			continue
		case LinkStale:
			continue
		}
		host, err := s.cfg.Root.Path(link.Path)
		if err != nil {
			return added, err
		}
		if dir := filepath.Dir(host); !slices.Contains(dirs, dir) {
			if err := disk.MkdirAll(dir, 0o755); err != nil {
				return added, err
			}
			dirs = append(dirs, dir)
		}
		if link.State == LinkRight {
			continue
		}
		if err := disk.PlaceLink(host, link.Target); err != nil {
			return added, err
		}
		added = append(added, link.Path)
	}
	// On disk if the power goes before this: any of the new links. They lead
	// where current leads, or dangle; the next call makes the others.
	if err := syncDirs(dirs); err != nil {
		return added, err
	}
	if len(blocked.Paths) > 0 {
		return added, blocked
	}
	return added, nil
}

// ProbeLinks tries whether EnsureLinks could make the links that are missing for a
// version. The error tells of every directory in which none can be made.
//
// It makes one link in each directory, under the temporary name of a missing one, and
// removes it again without a sync. If the power goes meanwhile, that temporary may be
// left: it dangles, EnsureLinks replaces it, and SweepLinks removes it.
func (s *Store) ProbeLinks(version string) error {
	links, err := s.Links(version)
	if err != nil {
		return err
	}
	var tried []string
	var errs []error
	for _, link := range links {
		dir := filepath.Dir(link.Path)
		if link.State != LinkMissing || slices.Contains(tried, dir) {
			continue
		}
		tried = append(tried, dir)
		host, err := s.cfg.Root.Path(link.Path)
		if err != nil {
			return err
		}
		if err := disk.ProbeLink(host, link.Target); err != nil {
			errs = append(errs, fmt.Errorf("no link can be made in %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// SweepLinks removes, durably, links through current to entries the version
// does not have, and returns their device paths. Other links are left alone.
func (s *Store) SweepLinks(version string) (removed []string, err error) {
	links, err := s.Links(version)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, link := range links {
		if link.State != LinkStale {
			continue
		}
		host, err := s.cfg.Root.Path(link.Path)
		if err != nil {
			return removed, err
		}
		if err := disk.UnplaceLink(host); err != nil {
			return removed, err
		}
		removed = append(removed, link.Path)
		if dir := filepath.Dir(host); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	// On disk if the power goes before this: any of them. They dangle, and the
	// next commit sweeps again.
	return removed, syncDirs(dirs)
}

func syncDirs(dirs []string) error {
	for _, dir := range dirs {
		if err := disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// place is a directory of links: Bin for a version's bin, Services for its services.
type place struct {
	part   string   // bin or services
	device string   // the directory of links, as configured
	host   string   // its host path, symlinks resolved
	real   string   // the same as the device sees it
	prefix string   // target of a link, without the name
	also   []string // all spellings of what prefix leads to
}

func (s *Store) places() ([]place, error) {
	var places []place
	for _, p := range []place{
		{part: "bin", device: s.cfg.Bin},
		{part: "services", device: s.cfg.Services},
	} {
		if p.device == "" {
			continue
		}
		host, err := s.cfg.Root.Resolve(p.device)
		if err != nil {
			return nil, err
		}
		p.host, p.real, p.device = host, s.cfg.Root.Device(host), filepath.Clean(p.device)
		p.prefix = filepath.Join(s.cfg.Versions, Current, p.part)
		p.also = []string{p.prefix, filepath.Join(s.dev, Current, p.part)}
		if p.part == "services" {
			// Relative, so that /opt/tope can be mounted elsewhere as a whole.
			p.prefix, err = filepath.Rel(p.real, p.prefix)
			if err != nil {
				return nil, err
			}
		}
		places = append(places, p)
	}
	return places, nil
}

// linksAt lists what a place should have for the version, and what it has beyond that.
func (s *Store) linksAt(p place, version string) ([]Link, error) {
	names, err := entryNames(filepath.Join(s.Path(version), p.part))
	if err != nil {
		return nil, err
	}
	var links []Link
	if p.part == "bin" {
		// Whoever writes to what a program leads to would choose what root's shells run.
		names = slices.DeleteFunc(names, func(name string) bool { return name == Updater || !s.inside(version, "bin/"+name) })
	}
	for _, name := range names {
		link := Link{Path: filepath.Join(p.device, name), Target: filepath.Join(p.prefix, name)}
		link.State, err = p.judge(name)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	have, err := os.ReadDir(p.host)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read links: %w", err)
	}
	for _, e := range have {
		if e.Type() != fs.ModeSymlink {
			continue
		}
		target, err := os.Readlink(filepath.Join(p.host, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
		entry, through := p.through(target)
		temporary := e.Name() == filepath.Base(disk.TempName(entry)) // left by a cut
		if through && (temporary || !slices.Contains(names, entry)) {
			links = append(links, Link{Path: filepath.Join(p.device, e.Name()), Target: target, State: LinkStale})
		}
	}
	return links, nil
}

// inside reports whether a name in a version does not lead out of it by links. The name
// may lead to nothing: nobody adds to a version what is missing in it.
func (s *Store) inside(version, name string) bool {
	tree, err := s.cfg.Root.Resolve(filepath.Join(s.dev, "v"+version))
	real, rerr := s.cfg.Root.Resolve(filepath.Join(s.dev, "v"+version, name))
	return err == nil && rerr == nil && strings.HasPrefix(real, tree+"/")
}

// judge returns the state of the link of this name.
func (p place) judge(name string) (LinkState, error) {
	path := filepath.Join(p.host, name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return LinkMissing, nil
	case err != nil:
		return "", fmt.Errorf("read link: %w", err)
	case info.Mode().Type() != fs.ModeSymlink:
		return LinkBlocked, nil
	}
	target, err := os.Readlink(path)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	if entry, ok := p.through(target); ok && entry == name {
		return LinkRight, nil
	}
	return LinkBlocked, nil
}

// through is the entry that a link in this place leads to through current,
// however its target is spelt.
func (p place) through(target string) (entry string, ok bool) {
	if !filepath.IsAbs(target) {
		target = filepath.Join(p.real, target)
	}
	dir, entry := filepath.Split(filepath.Clean(target))
	return entry, slices.Contains(p.also, filepath.Clean(dir))
}

// entryNames is what a part of a version offers: everything in it that is not hidden.
func entryNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the version's programs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
