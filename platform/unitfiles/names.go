package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// unitDirs are the directories in which systemd looks for units beside etc, those that a
// running system makes included.
func unitDirs() []string {
	return []string{
		"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early", "/run/systemd/system",
		"/run/systemd/generator", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
	}
}

// aliases are names by which systemd or programs ask for whatever unit a device has for a
// task. A device that has none has no file of the name.
func aliases() []string {
	return []string{
		"default.target", "ctrl-alt-del.target", "display-manager.service", "syslog.service", "syslog.socket", "autovt@.service",
		"emergency.service", "rescue.service", "getty@.service", "serial-getty@.service", "user@.service",
	}
}

// ValidPattern refuses what can match no unit that a release may bring.
func ValidPattern(pattern string) error {
	if _, err := path.Match(pattern, "a.service"); err != nil {
		return fmt.Errorf("%q is not a pattern: write the name of a unit, with * for any part of it", pattern)
	}
	if literal(pattern) {
		return CheckName(pattern)
	}
	end := pattern[strings.LastIndexAny(pattern, `*?]\`)+1:]
	for _, s := range suffixes() {
		if strings.HasSuffix(end, s) || strings.HasSuffix(s, end) {
			return nil
		}
	}
	return fmt.Errorf("%q matches no unit that a release may bring: their names end in %s", pattern, strings.Join(suffixes(), " "))
}

// literal reports whether a pattern is just a name.
func literal(pattern string) bool { return !strings.ContainsAny(pattern, `*?[\`) }

// listed reports whether the device names a unit as it is: a configured service, or a
// name in Allow. A release may bring it whoever has one of this name.
func (s *Store) listed(name string) bool {
	return slices.Contains(s.cfg.Configured, name) || literal(name) && slices.Contains(s.cfg.Allow, name)
}

// mayBring says why a release may not bring a unit of this name, whatever the device has:
// Allow does not list it, or it is an alias. It is empty when it may. A unit that an
// earlier version has brought is the releases' own.
func (s *Store) mayBring(name string) (why string, err error) {
	if s.listed(name) {
		return "", nil
	}
	if mine, err := s.own(name); mine || err != nil {
		return "", err
	}
	switch matches := func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }; {
	case slices.Contains(aliases(), name):
		return "systemd gives this name a meaning of its own", nil
	case s.cfg.Allow != nil && !slices.ContainsFunc(s.cfg.Allow, matches):
		return "the configuration does not list it", nil
	}
	return "", nil
}

// own reports whether the device's file of this name came with a version.
func (s *Store) own(name string) (bool, error) {
	host, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return false, err
	}
	host = filepath.Join(host, name)
	info, err := os.Lstat(host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot look at a unit file: %w", err)
	case !info.Mode().IsRegular():
		return false, nil
	}
	mine, err := ours(host, header)
	if err != nil {
		return false, fmt.Errorf("cannot read a unit file: %w", err)
	}
	return mine, nil
}

// Taken returns the path of the unit of the system or of an operator that has this name,
// or, for an instance, of its template. It is empty when there is none, when the device
// lists the name, and when the unit is masked: it stays so.
func (s *Store) Taken(name string) (at string, err error) {
	if s.listed(name) {
		return "", nil
	}
	for _, n := range withTemplate(name) {
		if at, err := s.operators(n); at != "" || err != nil {
			return at, err
		}
	}
	return s.systems(name)
}

// systems returns the path of the system's own unit of this name, or of its template, as
// Taken does.
func (s *Store) systems(name string) (at string, err error) {
	if s.listed(name) {
		return "", nil
	}
	for _, n := range withTemplate(name) {
		for _, dir := range unitDirs() {
			if found, err := s.there(path.Join(dir, n)); found || err != nil {
				return path.Join(dir, n), err
			}
		}
	}
	return "", nil
}

// withTemplate is a unit's name and, for an instance (a@1.service), its template's.
func withTemplate(name string) []string {
	base, instance, ok := strings.Cut(name, "@")
	if !ok || strings.HasPrefix(instance, ".") {
		return []string{name}
	}
	return []string{name, base + "@" + path.Ext(name)}
}

// operators returns the path of a unit file of this name that came with no version.
func (s *Store) operators(name string) (at string, err error) {
	at = path.Join(etc, name)
	found, err := s.there(at)
	if !found || err != nil {
		return "", err
	}
	host, err := s.cfg.Root.Path(at)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(host)
	if err != nil {
		return "", fmt.Errorf("cannot look at a unit file: %w", err)
	}
	if mine, err := s.own(name); mine || err != nil || masked(host, info) {
		return "", err
	}
	return at, nil
}

// there reports whether a device path leads to anything, a link to nowhere included.
func (s *Store) there(at string) (bool, error) {
	host, err := s.cfg.Root.Path(at)
	if err != nil {
		return false, err
	}
	switch _, err := os.Lstat(host); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, fmt.Errorf("cannot look for a unit file: %w", err)
	}
}

// Collisions lists the units of a version whose names are the system's or an operator's,
// by name. It changes nothing.
func (s *Store) Collisions(version string) ([]Left, error) {
	units, _, err := s.carried(version)
	if err != nil {
		return nil, err
	}
	var all []Left
	for _, u := range units {
		at, err := s.Taken(u.Name)
		if err != nil {
			return nil, err
		}
		if at != "" {
			all = append(all, Left{u.Name, at})
		}
	}
	return all, nil
}
