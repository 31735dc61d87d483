package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/disk"
)

// Brought is what a release brings besides its files: what the device must do
// for it. It is part of the version's manifest, so that a rollback years later
// needs nothing else. Legacy packages bring nothing.
type Brought struct {
	// Health are checks beyond the configured ones.
	Health []Health `json:"health,omitempty"`
	// Hooks are programs of the version, relative to it, by when they are run.
	Hooks map[Hook]string `json:"hooks,omitempty"`
	// Writable are directories of the version that its programs write to.
	Writable []Writable `json:"writable,omitempty"`
	// Links are entries of bin and services ("bin/device-api") whose links
	// outside the versions the release cannot do without.
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

// MaxHealth is the longest Timeout and Stable of a release's check.
const MaxHealth = time.Hour

// Health is one check that a version must pass. Kind is "active", "http",
// "tcp" or "command", with URL, Address or Command for the last three.
type Health struct {
	Service string   `json:"service"`
	Kind    string   `json:"kind"`
	URL     string   `json:"url,omitempty"`
	Address string   `json:"address,omitempty"`
	Command []string `json:"command,omitempty"`
	// Timeout and Stable are durations such as "30s"; empty for the default.
	Timeout string `json:"timeout,omitempty"`
	Stable  string `json:"stable,omitempty"`
}

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

// Validate reports the first thing that is wrong with b. It does not look at files.
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
		if !local(w.Path) {
			return fmt.Errorf("writable %q is not a path inside the version", w.Path)
		}
		if strings.HasPrefix(w.Path, SnapshotPrefix) || strings.HasPrefix(w.Path, disk.TrashPrefix) {
			return fmt.Errorf("writable %q: the updater uses such names itself", w.Path)
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
	for _, h := range b.Health {
		if err := h.validate(); err != nil {
			return fmt.Errorf("health check of %q: %w", h.Service, err)
		}
	}
	return nil
}

func local(p string) bool {
	return p != "." && fs.ValidPath(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0) && len(p) <= MaxPath
}

func (h Health) validate() error {
	for _, d := range []string{h.Timeout, h.Stable} {
		if d == "" {
			continue
		}
		if v, err := time.ParseDuration(d); err != nil || v < 0 || v > MaxHealth {
			return fmt.Errorf("%q is no duration up to an hour, such as 30s", d)
		}
	}
	switch {
	case h.Service == "":
		return errors.New("it names no service")
	case h.Kind == "active":
		return nil
	case h.Kind == "http" && (strings.HasPrefix(h.URL, "http://") || strings.HasPrefix(h.URL, "https://")):
		return nil
	case h.Kind == "tcp" && strings.Contains(h.Address, ":"):
		return nil
	case h.Kind == "command" && len(h.Command) > 0 && h.Command[0] != "":
		return nil
	}
	return fmt.Errorf("kind %q wants active, or http with url, tcp with address, command with command", h.Kind)
}
