package stage

import (
	"encoding/json"
	"fmt"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// brought puts into the manifest what Verify found that the release brings
// beside its files.
func brought(t *steps.Task, m *versions.Manifest) error {
	raw := t.Found[steps.Verify]
	if len(raw) == 0 {
		return nil
	}
	var b steps.Brought
	if err := json.Unmarshal(raw, &b); err != nil {
		return fmt.Errorf("cannot read what Verify found in the journal: %w", err)
	}
	if err := b.Brought.Validate(); err != nil {
		return invalid("release %s: %w", m.Version, err)
	}
	// Verify has asked the same, unless an older updater did its work.
	if err := health.Released(b.Brought.Health); err != nil {
		return invalid("release %s: %w", m.Version, err)
	}
	m.Epoch, m.Brought = b.Epoch, b.Brought
	return nil
}

// present refuses a release that names what it does not have: a hook that
// cannot be run would be found out with the services stopped.
func present(m *versions.Manifest) error {
	files := make(map[string]versions.File, len(m.Files))
	for _, f := range m.Files {
		files[f.Path] = f
	}
	for hook, path := range m.Hooks {
		if f := files[path]; f.Type != versions.TypeFile || f.Mode&0o111 == 0 {
			return invalid("release %s names %s as its %s hook, which is no executable file in it", m.Version, path, hook)
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
		files = append(files, unitfiles.File{Path: f.Path, Regular: f.Type == versions.TypeFile, Size: f.Size})
	}
	if err := s.units.Allows(files); err != nil {
		return invalid("release %s: %w", m.Version, err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &steps.Error{
		Class: steps.Refused, Code: steps.InvalidManifest, Err: fmt.Errorf(format, args...),
		Hint: "mend the release and publish another version",
	}
}
