package versions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// SetPointers makes current and previous lead to versions where they do not
// yet, as on a device whose first version was put there by hand, and returns the
// pointers it set. A current that leads to a usable version stays; to ask for
// another is ErrCurrentSet, since that takes an update or a rollback. Without a
// name, current gets the version of previous or factory, else the only version
// there is. A previous that leads nowhere gets current's version. Factory is left
// alone.
func (s *Store) SetPointers(current string) (set []string, err error) {
	p, err := s.Pointers()
	if err != nil {
		return nil, err
	}
	usable := func(version string) bool { return version != "" && s.usable(version) == nil }
	switch {
	case !usable(p.Current):
		if current == "" {
			if current, err = s.obvious(p, usable); err != nil {
				return nil, err
			}
		}
		if err := s.Point(Current, current); err != nil {
			return nil, err
		}
		p.Current, set = current, append(set, Current)
	case current != "" && current != p.Current:
		return nil, fmt.Errorf("%w: %s; use \"rollback --to\" to go to another one", ErrCurrentSet, p.Current)
	}
	if !usable(p.Previous) {
		// If the power goes before this, current is right; the next call does the rest.
		if err := s.Point(Previous, p.Current); err != nil {
			return set, err
		}
		set = append(set, Previous)
	}
	return set, nil
}

// obvious is the version that current should lead to when it leads nowhere.
func (s *Store) obvious(p Pointers, usable func(string) bool) (string, error) {
	for _, version := range []string{p.Previous, p.Factory} {
		if usable(version) {
			return version, nil
		}
	}
	all, err := s.List()
	if err != nil {
		return "", err
	}
	var names []string
	for _, v := range all {
		if v.State.Usable() {
			names = append(names, v.Version)
		}
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("%s: %w; install a release, or put one there as v1.0.0", s.dir, ErrNotFound)
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("%w leads to any of %s; say which is current", ErrNotFound, strings.Join(names, ", "))
}

// AsideSuffix ends the names of what AdoptLinks moves out of a link's way.
const AsideSuffix = ".before-tope"

// AdoptLinks replaces the files, directories and foreign links that have the names
// of a version's links. It keeps everything it replaces, and returns the device
// paths under which that is kept. It is for devices that ran without the updater,
// and is done only when asked for. A directory in the lower layer of an overlay takes
// its room again in the upper one; disk.ErrMounted, with the directory untouched, when
// something is mounted in such a one.
func (s *Store) AdoptLinks(ctx context.Context, version string) (aside []string, err error) {
	links, err := s.Links(version)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, link := range links {
		if link.State != LinkBlocked {
			continue
		}
		host, err := s.cfg.Root.Path(link.Path)
		if err != nil {
			return aside, err
		}
		kept, err := replaceByLink(ctx, host, link.Target)
		if err != nil {
			return aside, fmt.Errorf("cannot replace %s by a link through current: %w", link.Path, err)
		}
		aside = append(aside, filepath.Join(filepath.Dir(link.Path), filepath.Base(kept)))
		if dir := filepath.Dir(host); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return aside, syncDirs(dirs)
}

// replaceByLink keeps what is at path under a name of its own, and puts a link there.
func replaceByLink(ctx context.Context, path, target string) (kept string, err error) {
	if kept, err = freeName(path + AsideSuffix); err != nil {
		return "", err
	}
	// A directory cannot have two names. If the power goes between moveAside and
	// PlaceLink, the link is missing, and the next call of EnsureLinks makes it.
	if err := os.Link(path, kept); err != nil {
		if err := moveAside(ctx, path, kept); err != nil {
			return "", err
		}
		return kept, disk.PlaceLink(path, target)
	}
	// On disk if the power goes now: the old file, under one name or two.
	tmp := disk.TempName(path)
	if err := disk.RemoveTree(tmp); err != nil {
		return "", err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return "", err
	}
	// From here on the name is the link's; at no instant is it missing.
	return kept, os.Rename(tmp, path)
}

// freeName is path, or path with the first number that is free.
func freeName(path string) (string, error) {
	for n, name := 1, path; ; n++ {
		_, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name = fmt.Sprintf("%s.%d", path, n)
	}
}
