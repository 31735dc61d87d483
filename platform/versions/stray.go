package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/platform/disk"
)

// ErrStrayLink says that a link in a version does not belong to it.
var ErrStrayLink = errors.New("a stray link")

// StrayLinks are the links in a version that do not belong to it, as paths relative
// to it: those that lead to a pointer or into another version, and those in its top
// directory that bear a version's name. "ln -sf v1.1.0 current" makes one: current is
// a link to a directory already, so the new link goes into that directory.
//
// A version with such a link is not whole by itself: what the link leads to may be
// pruned, or be another one tomorrow. A release cannot bring one (Publish); a version
// made by hand may have one.
func (s *Store) StrayLinks(version string) ([]string, error) {
	root, err := os.OpenRoot(s.Path(version))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var found []string
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		target, err := root.Readlink(name)
		if err == nil && s.isStray(version, name, target) {
			found = append(found, name)
		}
		return err
	}, nil)
	return found, err
}

// isStray judges a link in a version by its place and its target.
func (s *Store) isStray(version, name, target string) bool {
	if _, named := versionName(name); named {
		return true
	}
	own := filepath.Join(s.dev, "v"+version)
	if !filepath.IsAbs(target) {
		target = filepath.Join(own, filepath.Dir(name), target)
	}
	in, below := strings.CutPrefix(filepath.Clean(target), s.dev+"/")
	if !below {
		// The configuration's spelling of the directory may have links in it.
		in, below = strings.CutPrefix(filepath.Clean(target), filepath.Clean(s.cfg.Versions)+"/")
	}
	first, _, _ := strings.Cut(in, "/")
	return below && first != "v"+version
}

// withoutStrayLinks is the error for a version that has stray links, with what to do.
func (s *Store) withoutStrayLinks(version string) ([]Problem, error) {
	found, err := s.StrayLinks(version)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var problems []Problem
	for _, name := range found {
		problems = append(problems, Problem{Path: name, Kind: Extra, Text: ErrStrayLink.Error() + ", which \"ln -sf\" over a pointer makes"})
	}
	return problems, fmt.Errorf("%w: %s; remove it: rm %s", ErrStrayLink, found[0], filepath.Join(s.Path(version), found[0]))
}
