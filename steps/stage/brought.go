package stage

import (
	"fmt"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// brought copies from Verify's findings into the manifest what the release brings
// besides its files.
func brought(t *steps.Task, m *versions.Manifest) error {
	verified := t.Facts.Verify
	if verified == nil {
		return nil
	}
	if err := verified.Brought.Validate(); err != nil {
		return invalid("release %s: %w", m.Version, err)
	}
	// Verify has made the same check, unless an older updater ran Verify.
	if err := health.Released(verified.Brought.Health); err != nil {
		return invalid("release %s: %w", m.Version, err)
	}
	m.Epoch, m.SignedBy, m.Brought = verified.Epoch, verified.SignedBy, verified.Brought
	return nil
}

// present refuses a release that names a file it does not have. Without this check, a
// hook that cannot run would be noticed only when the services are stopped.
func present(m *versions.Manifest) error {
	files := make(map[string]versions.File, len(m.Files))
	for _, f := range m.Files {
		files[f.Path] = f
	}
	for hook, path := range m.Hooks {
		if f := files[path]; f.Type != versions.TypeFile || f.Mode&0o111 == 0 {
			return invalid("release %s names %s as its %s hook, which is not an executable file in it", m.Version, path, hook)
		}
	}
	for _, path := range m.Links {
		if _, ok := files[path]; !ok {
			return invalid("release %s cannot do without the link of %s, which is not in it", m.Version, path)
		}
	}
	return nil
}

// allowed refuses a release whose units cannot be put into effect as they are.
func (s *Step) allowed(m *versions.Manifest) error {
	if s.units == nil {
		return nil
	}
	var files []unitfiles.File
	for _, f := range m.Files {
		files = append(files, unitfiles.File{Path: f.Path, Regular: f.Type == versions.TypeFile, Size: f.Size, Link: f.Type == versions.TypeLink})
	}
	return bundle.CheckUnits(m.Version, files, s.units.Allows)
}

func invalid(format string, args ...any) error {
	return &steps.Error{
		Class: steps.Refused, Code: steps.InvalidManifest, Err: fmt.Errorf(format, args...),
		Hint: "correct the release and publish another version",
	}
}
