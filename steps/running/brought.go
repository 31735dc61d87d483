package running

import (
	"errors"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Installed gives steps what an installed version brings besides its files:
// *versions.Store.
type Installed interface {
	// Manifest returns ErrNoManifest for a version made by hand, and ErrNotFound when
	// there is no such version.
	Manifest(version string) (*versions.Manifest, error)
	// Path is the host path of the version's directory.
	Path(version string) string
}

// BroughtBy returns what a version brings: nothing when v is nil, when there is no
// such version, and when it was made by hand.
func BroughtBy(v Installed, version string) (versions.Brought, error) {
	if v == nil || version == "" {
		return versions.Brought{}, nil
	}
	m, err := v.Manifest(version)
	if errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrNotFound) {
		return versions.Brought{}, nil
	}
	if err != nil {
		return versions.Brought{}, steps.FromOS(err, "read what version "+version+" brings")
	}
	return m.Brought, nil
}

// Owes reports whether Switch has to run a hook or take snapshots before current may
// move from one version to the other, and lists the paths to take snapshots of.
func Owes(v Installed, from, to string) (owes bool, snapshots []string, err error) {
	for _, version := range []string{from, to} {
		b, err := BroughtBy(v, version)
		if version == from && errors.Is(err, versions.ErrDamaged) {
			continue // a damaged version must not keep a device from leaving it
		}
		if err != nil {
			return true, nil, err
		}
		for _, w := range b.Writable {
			if w.Snapshot {
				snapshots = append(snapshots, w.Path)
			}
		}
		owes = owes || len(snapshots) > 0 || version == to && b.Hooks[versions.PreSwitch] != ""
	}
	return owes, snapshots, nil
}
