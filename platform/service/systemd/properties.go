package systemd

import (
	"context"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/tope/updater/platform/service"
)

// properties are a unit's D-Bus properties, of all its interfaces, read at once
// so that they belong together.
type properties map[string]any

func (m *Manager) properties(ctx context.Context, s service.Service) (p properties, err error) {
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) (err error) {
		p, err = c.GetAllPropertiesContext(ctx, s.UnitName())
		return err
	})
	return p, err
}

// relations are the properties that every unit has, whatever its type: what it is, its
// state, and its relations to others. systemd answers for them in a third of the time
// that all properties take, among them those of its control group.
func (m *Manager) relations(ctx context.Context, unit string) (p properties, err error) {
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) (err error) {
		p, err = c.GetUnitPropertiesContext(ctx, unit)
		return err
	})
	return p, err
}

// glance is the least that can be asked about a unit: its state and its pending job. A
// unit that is not there is inactive and has no job.
func (m *Manager) glance(ctx context.Context, s service.Service) (active service.Active, job int, err error) {
	err = m.ask(ctx, func(ctx context.Context, c *sd.Conn) error {
		units, err := c.ListUnitsByNamesContext(ctx, []string{s.UnitName()})
		if err == nil && len(units) == 1 {
			active, job = service.Active(units[0].ActiveState), int(units[0].JobId)
		}
		return err
	})
	return active, job, err
}

// A process's end as waitid(2) has it, which is what ExecMainCode holds.
const (
	codeKilled = 2
	codeDumped = 3
)

// status makes a Status of the properties. One that is missing (an older systemd)
// counts as zero.
func (p properties) status() service.Status {
	st := service.Status{
		Active:     service.Active(p.text("ActiveState")),
		Sub:        p.text("SubState"),
		Result:     p.text("Result"),
		MainPID:    int(p.number("MainPID")),
		Started:    time.Duration(p.number("ExecMainStartTimestampMonotonic")) * time.Microsecond,
		Restarts:   int(p.number("NRestarts")),
		ExitStatus: int(p.number("ExecMainStatus")),
		Stale:      p.flag("NeedDaemonReload"),
	}
	if st.MainPID == 0 && st.Active == service.Running {
		// A unit of type forking may have no main process that systemd knows: it was
		// started when it stopped being inactive. Where there was a main process, that
		// one was started later.
		st.Started = max(st.Started, time.Duration(p.number("InactiveExitTimestampMonotonic"))*time.Microsecond)
	}
	if code := p.number("ExecMainCode"); code == codeKilled || code == codeDumped {
		st.ExitStatus += 128
	}
	switch load := p.text("LoadState"); load {
	case "not-found", "":
		return service.Status{Active: service.Stopped, Sub: "dead"}
	case "loaded":
	default:
		// There is a unit, but systemd will not run it: masked, bad-setting, error.
		st.Result = load
	}
	st.Loaded = true
	return st
}

// gone reports whether nothing of the unit runs.
func (p properties) gone() bool {
	active := p.status().Active
	return p.number("MainPID") == 0 && p.number("ControlPID") == 0 && (active == service.Stopped || active == service.Broken)
}

func (p properties) text(name string) string {
	s, _ := p[name].(string)
	return s
}

func (p properties) flag(name string) bool {
	yes, _ := p[name].(bool)
	return yes
}

func (p properties) list(name string) []string {
	l, _ := p[name].([]string)
	return l
}

func (p properties) number(name string) uint64 {
	switch n := p[name].(type) {
	case uint32:
		return uint64(n)
	case int32:
		return uint64(max(n, 0))
	case uint64:
		return n
	}
	return 0
}
