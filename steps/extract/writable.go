package extract

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// with adds the release's own writable directories to the configured ones. own lists
// the release's: for these the parent directories are made.
func (c Config) with(t *steps.Task) (_ Config, own []string, err error) {
	verified := t.Facts.Verify
	if verified == nil {
		return c, nil, nil
	}
	if err := verified.Brought.Validate(); err != nil {
		return c, nil, bundle.InvalidManifest("release %s: %v", t.Release.Version, err)
	}
	all := maps.Clone(c.Writable)
	for _, w := range verified.Brought.Writable {
		if all == nil {
			all = map[string]string{}
		}
		if _, configured := all[w.Path]; !configured {
			all[w.Path] = filepath.Join(c.Shared, filepath.FromSlash(w.Path))
		}
		own = append(own, w.Path)
	}
	c.Writable = all
	return c, own, nil
}

// writable makes a link to a shared directory for each directory that programs write
// to, and returns these. The links are relative from one real directory to another, so
// that they mean the same below --root as on the device.
func (r *run) writable(staging string) ([]string, error) {
	if len(r.cfg.Writable) == 0 {
		return nil, nil
	}
	tree, err := filepath.EvalSymlinks(staging)
	if err != nil {
		return nil, err
	}
	var linked []string
	for _, dir := range slices.Sorted(maps.Keys(r.cfg.Writable)) {
		info, err := r.root.Lstat(path.Dir(dir))
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(r.own, dir) {
			if err := r.makeDir(path.Dir(dir)); err != nil {
				return nil, err
			}
			info, err = r.root.Lstat(path.Dir(dir))
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			continue
		}
		if err != nil {
			return nil, err
		}
		// Durable before the version that needs it has its name.
		shared, err := r.sharedDir(dir, r.cfg.Writable[dir])
		if err != nil {
			return nil, fmt.Errorf("make the shared directory for %s: %w", dir, err)
		}
		target, err := filepath.Rel(filepath.Join(tree, path.Dir(dir)), shared)
		if err != nil {
			return nil, err
		}
		if err := r.makeLink(dir, target); err != nil {
			return nil, fmt.Errorf("link %s to %s: %w", dir, shared, err)
		}
		linked = append(linked, dir)
	}
	return linked, nil
}
