package running

import (
	"context"
	"slices"
	"strings"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/steps"
)

// Units are the unit files that versions carry: *unitfiles.Store. It is nil
// where systemd runs no services.
type Units interface {
	Carried(version string) ([]unitfiles.Unit, error)
	// Follow makes the device's unit files those of a version, durably.
	Follow(version string) (unitfiles.Changes, error)
	// Agrees reports whether Follow has nothing to do.
	Agrees(version string) (bool, error)
}

// Leaving is the task with all services that the versions it is about carry,
// for a step that is to stop them: whatever runs of them runs from what is being
// left, or from what another try had begun.
func Leaving(u Units, t *steps.Task) (*steps.Task, error) {
	if u == nil {
		return t, nil
	}
	names := t.Release.Services
	for _, version := range []string{t.Before.Current, t.Release.Version, t.Target.Current} {
		units, err := u.Carried(version)
		if err != nil && version == t.Target.Current {
			return nil, steps.FromOS(err, "read the units of version "+version)
		}
		// What cannot be read of a version that is left must not keep the device in it.
		names = more(names, units, func(unitfiles.Unit) bool { return true })
	}
	return naming(t, names), nil
}

// Instances are the units that run and are made from a template that one of
// those versions carries. The manager would let them run on when the template is
// another one, or gone: from the version that is being left.
func Instances(ctx context.Context, m service.Manager, u Units, t *steps.Task) (found []service.Instance, err error) {
	lister, ok := m.(service.Instancer)
	if u == nil || !ok {
		return nil, nil
	}
	var templates []string
	for _, version := range []string{t.Before.Current, t.Release.Version, t.Target.Current} {
		units, err := u.Carried(version)
		if err != nil && version == t.Target.Current {
			return nil, steps.FromOS(err, "read the units of version "+version)
		}
		for _, one := range units {
			if one.Template() {
				templates = union(templates, []string{one.Name})
			}
		}
	}
	for _, one := range templates {
		names, err := lister.Instances(ctx, one)
		if err != nil && !lenient(ctx, t) {
			return nil, ServiceError(ctx, m, steps.Local, "list the instances of "+one, err)
		}
		found = append(found, names...)
	}
	return found, nil
}

// madeFrom is the template of an instance: a@.service of a@1.service.
func madeFrom(unit string) string {
	base, _, instance := strings.Cut(unit, "@")
	if dot := strings.LastIndexByte(unit, '.'); instance && dot > 0 {
		return base + "@" + unit[dot:]
	}
	return unit
}

// Running is the task with the services that a version carries and that are
// enabled and stay up: those are started with it, and judged by the gate.
func Running(u Units, t *steps.Task, version string) (*steps.Task, error) {
	if u == nil {
		return t, nil
	}
	units, err := u.Carried(version)
	if err != nil {
		return nil, steps.FromOS(err, "read the units of version "+version)
	}
	return naming(t, more(t.Release.Services, units, func(one unitfiles.Unit) bool { return one.Enabled && !one.Passing })), nil
}

func naming(t *steps.Task, services []string) *steps.Task {
	named := *t
	named.Release.Services = services
	return &named
}

func more(names []string, units []unitfiles.Unit, which func(unitfiles.Unit) bool) []string {
	names = slices.Clone(names)
	for _, one := range units {
		base, ok := one.Service()
		if ok && !one.Template() && which(one) && !slices.Contains(names, base) {
			names = append(names, base)
		}
	}
	return names
}

// Present takes out of the companions what went with the version that was left,
// and adds what the target carries and wants started beside its services.
func (c Companions) Present(u Units, t *steps.Task, boot string) (Companions, error) {
	if u == nil {
		return c, nil
	}
	target, err := u.Carried(t.Target.Current)
	if err != nil {
		return c, steps.FromOS(err, "read the units of version "+t.Target.Current)
	}
	gone := map[string]bool{}
	for _, version := range []string{t.Before.Current, t.Release.Version} {
		left, err := u.Carried(version)
		if err != nil {
			continue // as in Leaving
		}
		for _, one := range left {
			gone[one.Name] = true
		}
	}
	for _, one := range target {
		gone[one.Name] = false
	}
	without := func(name string) bool { return gone[name] || gone[madeFrom(name)] }
	c.Triggers = slices.DeleteFunc(slices.Clone(c.Triggers), without)
	c.Dependents = slices.DeleteFunc(slices.Clone(c.Dependents), without)
	if c.Boot != boot {
		// Noted before a reboot: the init system has seen to those.
		c = Companions{Idle: c.Idle, Boot: boot}
	}
	for _, one := range target {
		// A passing one runs at boot, or when something requires it.
		_, service := one.Service()
		if !service && one.Enabled && !one.Template() && !strings.HasSuffix(one.Name, ".target") {
			c.Triggers = union(c.Triggers, []string{one.Name})
		}
	}
	return c, nil
}
