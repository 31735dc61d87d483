package look

import (
	"io/fs"
	"path/filepath"

	"github.com/tope/updater/platform/versions"
)

// Changed tells how the tree of a published version differs from its manifest
// ("bin/cache.db is new"), by names and sizes only: no content is read. A
// version without a manifest has nothing to differ from.
func Changed(s *versions.Store, version string) (odd []string, err error) {
	m, err := s.Manifest(version)
	if err != nil {
		return nil, nil //nolint:nilerr // the version's state says what is wrong with it
	}
	known := map[string]versions.File{}
	for _, f := range m.Files {
		known[f.Path] = f
	}
	dir := s.Path(version)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." || rel == versions.ManifestName {
			return err
		}
		f, ok := known[rel]
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case !ok:
			odd = append(odd, rel+" is new")
		case f.Type == versions.TypeFile && info.Size() != f.Size:
			odd = append(odd, rel+" has another size")
		}
		return nil
	})
	return odd, err
}

// StrayLinks are the links in a version that do not belong to it; see
// versions.Store.StrayLinks. A version that cannot be read has none: its state says
// what is wrong with it.
func StrayLinks(s *versions.Store, version string) []string {
	found, _ := s.StrayLinks(version)
	return found
}
