package systemd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/service"
)

// Facts are what an operator would ask about a unit that is set up.
type Facts struct {
	// Load and Active are systemd's LoadState and ActiveState; File is its
	// UnitFileState (enabled, disabled, static…), empty for a unit without file.
	Load, Active, File string
	// Stale: the files on disk are newer than what systemd has read.
	Stale bool

	after, requires []string
}

// After reports whether the unit is started after another one.
func (f Facts) After(unit string) bool { return slices.Contains(f.after, unit) }

// Requires reports whether the unit cannot start when another one fails.
func (f Facts) Requires(unit string) bool { return slices.Contains(f.requires, unit) }

// Facts asks systemd about a unit by its full name. One that does not exist is
// not an error: its Load is not-found.
func (m *Manager) Facts(ctx context.Context, unit string) (Facts, error) {
	s := service.Service{Name: unit, Unit: unit}
	p, err := m.properties(ctx, s)
	if err != nil {
		return Facts{}, m.explain("look at", s, err)
	}
	after, _ := p["After"].([]string)
	f := Facts{Load: p.text("LoadState"), Active: p.text("ActiveState"), File: p.text("UnitFileState"), after: after}
	f.Stale, _ = p["NeedDaemonReload"].(bool)
	for _, name := range []string{"Requires", "Requisite", "BindsTo"} {
		units, _ := p[name].([]string)
		f.requires = append(f.requires, units...)
	}
	return f, nil
}

// Version is systemd's version: the number that its features go by, and all of it.
func (m *Manager) Version(ctx context.Context) (number int, text string, err error) {
	err = m.ask(ctx, func(_ context.Context, c *sd.Conn) error {
		text, err = c.GetManagerProperty("Version")
		return err
	})
	if err != nil {
		return 0, "", m.explain("version", service.Service{}, err)
	}
	number, text, err = parseVersion(text)
	return number, text, err
}

// parseVersion takes "252.39-1~deb12u2", as a D-Bus variant is written, quotes
// and all, and "v249" of old ones.
func parseVersion(variant string) (number int, text string, err error) {
	text = strings.Trim(variant, `"`)
	digits := strings.TrimPrefix(text, "v")
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	if number, err = strconv.Atoi(digits); err != nil {
		return 0, text, fmt.Errorf("systemd calls its version %q, which does not begin with a number", text)
	}
	return number, text, nil
}
