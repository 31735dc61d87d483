package versions

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/health"
)

// Brought is what a release brings besides its files: what the device must do
// for it. It is part of the version's manifest, so that a rollback years later
// needs nothing else. Legacy packages bring nothing.
type Brought struct {
	// Health are checks beyond the configured ones.
	Health []health.Check `json:"health,omitempty"`
	// Hooks are programs of the version, relative to it, by when they are run.
	Hooks map[Hook]string `json:"hooks,omitempty"`
	// Writable are directories of the version that its programs write to.
	Writable []Writable `json:"writable,omitempty"`
	// Links are entries of bin and services ("bin/device-api"). The release needs
	// the links outside the versions that lead to them.
	Links []string `json:"links,omitempty"`
}

// Hook is when a hook is run.
type Hook string

// The hooks.
const (
	// PreSwitch runs while the old version still runs, before a service is stopped.
	PreSwitch Hook = "pre-switch"
	// PostSwitch runs after the pointers moved, before the services start.
	PostSwitch Hook = "post-switch"
	// HealthHook is one check of the gate: it must exit with 0.
	HealthHook Hook = "health"
)

// Hooks returns every hook there is.
func Hooks() []Hook { return []Hook{PreSwitch, PostSwitch, HealthHook} }

// Writable is a directory that programs write to: in the version it is a link
// to the directory of the same path below Shared.
type Writable struct {
	Path string `json:"path"`
	// Snapshot has the data copied when the version is switched to, so that a
	// rollback finds it as it was.
	Snapshot bool `json:"snapshot,omitempty"`
}

// SnapshotPrefix begins the names of snapshots of such directories, in Shared.
const SnapshotPrefix = ".snapshot-"

// Validate reports the first path in b that cannot be acted on. It does not look
// at files, nor at health checks: those are judged once, when the release is
// accepted (health.Released), and not in the manifest of a version that is
// installed. A refused manifest makes a version count as damaged, and a bad check
// is less serious.
func (b Brought) Validate() error {
	for name, p := range b.Hooks {
		if !slices.Contains(Hooks(), name) {
			return fmt.Errorf("hook %q: there are only %v", name, Hooks())
		}
		if !local(p) {
			return fmt.Errorf("hook %s: %q is not a path inside the version", name, p)
		}
	}
	for i, w := range b.Writable {
		if err := ValidWritable(w.Path); err != nil {
			return fmt.Errorf("writable %w", err)
		}
		for _, o := range b.Writable[:i] {
			if within(o.Path, w.Path) || within(w.Path, o.Path) {
				return fmt.Errorf("writable %q and %q lie in each other", o.Path, w.Path)
			}
		}
	}
	for _, l := range b.Links {
		part, name, ok := strings.Cut(l, "/")
		if !ok || !local(l) || strings.Contains(name, "/") || part != "bin" && part != "services" {
			return fmt.Errorf("link %q: want bin/NAME or services/NAME", l)
		}
	}
	return nil
}

// ValidWritable says why a directory of a version cannot be a link into Shared:
// the configuration and releases name such directories.
func ValidWritable(p string) error {
	if !local(p) {
		return fmt.Errorf("%q is not a path inside the version, like services/device-api/data", p)
	}
	if strings.HasPrefix(p, SnapshotPrefix) || strings.HasPrefix(p, disk.TrashPrefix) {
		return fmt.Errorf("%q: the updater uses such names itself", p)
	}
	return nil
}

func local(p string) bool {
	return p != "." && fs.ValidPath(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0) && len(p) <= MaxPath
}
