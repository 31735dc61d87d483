// Package ownprogram is the updater as a file: the committed copy outside every
// version, the copy that a version carries as bin/tope-updater, and the program
// that runs.
//
// systemd starts the committed copy, which also runs recover and the rescue. This
// package promises that there is a whole one at every instant: Replace writes the
// new one beside it, syncs it, and renames. It writes what the version's manifest
// promises, byte for byte, or nothing.
//
// It never decides when to do so, and never starts a program except to ask it
// for its version. Start at Program.
package ownprogram

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// Path is where a device has the committed copy.
const Path = "/usr/lib/tope-updater/tope-updater"

// Entry is the updater in a version.
const Entry = "bin/" + versions.Updater

// mode of the committed copy.
const mode = 0o755

// Versions is what this package needs of the versions: *versions.Store.
type Versions interface {
	Path(version string) string
	Manifest(version string) (*versions.Manifest, error)
}

// Program knows the three copies. Its methods may be called concurrently.
type Program struct {
	committed string
	running   string
	versions  Versions
	own       func() (string, error)
}

// New takes the host paths of the committed copy and of the program that runs
// ("/proc/self/exe").
func New(committed, running string, v Versions) *Program {
	return &Program{
		committed: committed, running: running, versions: v,
		own: sync.OnceValues(func() (string, error) { return digestOf(running) }),
	}
}

// Copy is one updater.
type Copy struct {
	// Path is the host's.
	Path string
	// Digest is "sha256:…".
	Digest string
}

// Own is the program that runs. It is read once.
func (p *Program) Own() (Copy, error) {
	digest, err := p.own()
	return Copy{p.running, digest}, err
}

// Committed is the committed copy; ok is false where there is none.
func (p *Program) Committed() (c Copy, ok bool, err error) {
	digest, err := digestOf(p.committed)
	if errors.Is(err, fs.ErrNotExist) {
		return Copy{}, false, nil
	}
	return Copy{p.committed, digest}, err == nil, err
}

// Carried is a version's own updater; ok is false when it carries none. Its
// digest is the manifest's, or, for a version made by hand, the file's.
func (p *Program) Carried(version string) (c Copy, ok bool, err error) {
	if version == "" {
		return Copy{}, false, nil
	}
	c.Path = filepath.Join(p.versions.Path(version), Entry)
	info, err := os.Lstat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Copy{}, false, nil
	case err != nil:
		return Copy{}, false, fmt.Errorf("cannot look at the updater of version %s: %w", version, err)
	case !info.Mode().IsRegular():
		return Copy{}, false, nil
	}
	m, err := p.versions.Manifest(version)
	switch {
	case errors.Is(err, versions.ErrNoManifest):
		c.Digest, err = digestOf(c.Path)
		return c, err == nil, err
	case err != nil:
		return Copy{}, false, err
	}
	for _, f := range m.Files {
		if f.Path == Entry && f.Type == versions.TypeFile {
			c.Digest = algorithm + f.SHA256
			return c, true, nil
		}
	}
	return Copy{}, false, nil
}

// Replace makes the version's updater the committed copy, durably. It returns
// false when the two are the same already, when the version carries no updater, and
// when there is no committed copy: such a device starts its updater from elsewhere.
//
// On disk if the power goes meanwhile: the old copy or the new one, whole, and
// perhaps a temporary that the next call removes.
func (p *Program) Replace(version string) (bool, error) {
	from, ok, err := p.Carried(version)
	if err != nil || !ok {
		return false, err
	}
	have, ok, err := p.Committed()
	if err != nil || !ok {
		return false, err
	}
	if have.Digest == from.Digest {
		// The process that renamed it may have been killed before that was durable.
		return false, disk.SyncDir(filepath.Dir(p.committed))
	}
	f, err := os.Open(from.Path)
	if err != nil {
		return false, fmt.Errorf("cannot read the updater of version %s: %w", version, err)
	}
	defer f.Close()
	if err := disk.WriteFrom(p.committed, &proved{r: f, path: from.Path, want: from.Digest}, mode); err != nil {
		return false, fmt.Errorf("cannot replace the committed updater; %s stays as it was: %w", p.committed, err)
	}
	return true, nil
}
