package healthcheck

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// starts asks whether everything that the start of a service needs would be there, and
// whether it would start the target's programs.
func (p *preflight) starts(ctx context.Context) error {
	if p.g.cfg.Site == nil {
		return nil
	}
	for _, svc := range p.list {
		after, err := p.launch(ctx, svc)
		if err != nil {
			return err
		}
		for _, n := range p.after.Needs(after, p.g.cfg.Site.Store.CannotStart) {
			p.need(svc, after, n, p.had(ctx, svc, n))
		}
	}
	return nil
}

// need judges one thing that a start needs. had is set when it was there before.
func (p *preflight) need(svc service.Service, l service.Launch, n look.Needed, had bool) {
	unit, target := svc.UnitName(), p.t.Target.Current
	inside := n.Version == target
	switch {
	case n.Optional:
	case n.Problem == "" && svc.OutsideVersions:
	case n.Problem == "" && n.Version != "" && !inside && n.What != look.EnvironmentFile && !n.Beside:
		p.fatal(steps.ServiceFailed, "make it lead through "+p.current()+" (tope-updater links --adopt moves a file in a link's place away), or correct "+unit,
			"%s: %s: that is in version %s, whatever version is current", unit, n, n.Version)
	case n.Problem == "", had && strings.Contains(n.Problem, versions.AnotherMachine):
	case n.What == look.Executed && !had && (!inside || !filepath.IsAbs(n.Name)):
		// What is not an option need not be a path at all.
	case n.Closed:
		p.fatal(steps.ServiceFailed, "let the user pass (chmod o+x), or let the service run as another user", "%s: %s", unit, n)
	case l.Private, p.acts && !inside:
		p.warn(steps.ServiceFailed, "", "%s: %s, as far as can be told before the service starts", unit, n)
	case inside:
		p.fatal(steps.ServiceFailed, "publish a release that has it, or correct "+unit, "%s: %s", unit, n)
	default:
		p.fatal(steps.ServiceFailed, "put it there, or correct "+unit, "%s: %s", unit, n)
	}
}

// current is the device path of the pointer.
func (p *preflight) current() string {
	return filepath.Join(p.g.cfg.Site.Root.Device(p.g.cfg.Site.Store.Dir()), "current")
}

// had reports whether the running version has what the target lacks, or has a program
// for the same other machine: then something on this device executes those.
func (p *preflight) had(ctx context.Context, svc service.Service, lacks look.Needed) bool {
	m, ok := p.g.cfg.Manager.(service.Launcher)
	if lacks.Problem == "" || !ok {
		return false
	}
	now, err := m.Launch(ctx, svc)
	if err != nil {
		return false
	}
	foreign := strings.Contains(lacks.Problem, versions.AnotherMachine)
	return slices.ContainsFunc(p.before.Needs(now, p.g.cfg.Site.Store.CannotStart), func(n look.Needed) bool {
		return n.What == lacks.What && n.Name == lacks.Name && (n.Problem == "" && !foreign || foreign && n.Problem == lacks.Problem)
	})
}

// launch tells what the manager would execute for a service after the switch: what it
// has read, or, for a unit whose file the switch changes or whose file it has not read
// since it was changed, what the files say.
func (p *preflight) launch(ctx context.Context, svc service.Service) (service.Launch, error) {
	m, ok := p.g.cfg.Manager.(service.Launcher)
	if !ok {
		return service.Launch{}, nil
	}
	unit := svc.UnitName()
	up, changes := p.file(unit)
	st, err := p.g.cfg.Manager.Status(ctx, svc)
	if err == nil && !changes && !st.Stale {
		var l service.Launch
		if l, err = m.Launch(ctx, svc); err == nil {
			return l, nil
		}
	}
	if err != nil {
		return service.Launch{}, running.ServiceError(ctx, p.g.cfg.Manager, steps.Local, "ask what "+svc.Name+" executes", err)
	}
	text := up.Text
	if text == nil {
		if text, err = os.ReadFile(p.vendor(unit)); err != nil {
			return service.Launch{}, nil //nolint:nilerr // services has told of a unit without a file
		}
	}
	texts := [][]byte{text}
	for _, file := range look.DropIns(p.g.cfg.Site.Root, p.dropInDirs(unit)) {
		if more, err := os.ReadFile(file); err == nil { // else systemd cannot read it either
			texts = append(texts, more)
		}
	}
	return unitfiles.Launch(unit, texts...), nil
}

// file is what becomes of a unit's file, or of the template that it is made from.
func (p *preflight) file(unit string) (up unitfiles.Upcoming, changes bool) {
	up, changes = p.upcoming[unit]
	if base, rest, instance := strings.Cut(unit, "@"); !changes && instance {
		up, changes = p.upcoming[base+"@"+filepath.Ext(rest)]
	}
	return up, changes
}

// vendor is the host path of the unit's file, as the device has it beside the one that
// the switch changes; "" when there is none.
func (p *preflight) vendor(unit string) string {
	for _, dir := range p.unitDirs() {
		if _, changes := p.file(unit); changes && dir == "/etc/systemd/system" {
			continue
		}
		for _, file := range look.UnitFiles(p.g.cfg.Site.Root, []string{dir}, unit) {
			if filepath.Base(file) == unit {
				return file
			}
		}
	}
	return ""
}

func (p *preflight) unitDirs() []string {
	m, ok := p.g.cfg.Manager.(service.UnitKeeper)
	if !ok || p.g.cfg.Site == nil {
		return nil
	}
	return m.UnitDirs()
}

func (p *preflight) dropInDirs(unit string) (dirs []string) {
	for _, dir := range p.unitDirs() {
		for _, name := range []string{"service", unit} {
			dirs = append(dirs, filepath.Join(dir, name+".d"))
		}
	}
	return dirs
}
