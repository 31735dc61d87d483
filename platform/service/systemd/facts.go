package systemd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/service"
)

var (
	_ service.UnitReader  = (*Manager)(nil)
	_ service.Replaceable = (*Manager)(nil)
	_ service.LogKeeper   = (*Manager)(nil)
)

// UnitDirs implements service.UnitKeeper.
func (m *Manager) UnitDirs() []string { return unitDirs() }

// unitDirs are systemd's directories of unit files; see systemd.unit(5).
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// ReplaceableInPlace implements service.Replaceable: the services are systemd's
// children.
func (m *Manager) ReplaceableInPlace() {}

// Unit implements service.UnitReader.
func (m *Manager) Unit(ctx context.Context, unit string) (service.UnitFacts, error) {
	s := service.Unit(unit)
	p, err := m.properties(ctx, s)
	if err != nil {
		return service.UnitFacts{}, m.explain("look at", s, err)
	}
	f := service.UnitFacts{Load: p.text("LoadState"), Active: p.text("ActiveState"), File: p.text("UnitFileState"), After: p.list("After"), Stale: p.flag("NeedDaemonReload")}
	for _, name := range []string{"Requires", "Requisite", "BindsTo"} {
		f.Requires = append(f.Requires, p.list(name)...)
	}
	return f, nil
}

// Version implements service.UnitReader.
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

// parseVersion reads a version as D-Bus writes a variant, quotes included:
// "252.39-1~deb12u2", or "v249" of an older systemd.
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
