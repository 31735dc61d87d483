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
	// Sync makes the unit files durable as they are.
	Sync() error
}

// ToStop returns the task with all services that its versions carry, for a step that
// stops them. A running service may be of the version that is being left, or of the
// version that an earlier try had started.
func ToStop(u Units, t *steps.Task) (*steps.Task, error) {
	if u == nil {
		return t, nil
	}
	carried := t.Carried
	for _, version := range []string{t.Before.Current, t.Release.Version, t.Target.Current} {
		units, err := u.Carried(version)
		if err != nil && version == t.Target.Current {
			return nil, steps.FromOS(err, "read the units of version "+version)
		}
		// An unreadable version must not keep the device from leaving it.
		carried = more(t, carried, units, func(unitfiles.Unit) bool { return true })
	}
	return carrying(t, carried), nil
}

// Instances lists the running units that were made from a template of one of the
// task's versions. When the template has changed or is gone, the manager would let
// them go on running from the version that is being left.
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

// madeFrom returns the template of an instance: a@.service for a@1.service.
func madeFrom(unit string) string {
	base, _, instance := strings.Cut(unit, "@")
	if dot := strings.LastIndexByte(unit, '.'); instance && dot > 0 {
		return base + "@" + unit[dot:]
	}
	return unit
}

// ToStart returns the task with the services of a version that are enabled and stay
// up. These services start with the version, and the gate judges them.
func ToStart(u Units, t *steps.Task, version string) (*steps.Task, error) {
	if u == nil {
		return t, nil
	}
	units, err := u.Carried(version)
	if err != nil {
		return nil, steps.FromOS(err, "read the units of version "+version)
	}
	return carrying(t, more(t, t.Carried, units, func(one unitfiles.Unit) bool { return one.Enabled && !one.Passing })), nil
}

// carrying returns the task with these carried services.
func carrying(t *steps.Task, services []string) *steps.Task {
	with := *t
	with.Carried = services
	return &with
}

// Named are the services of a task beyond the configured ones: those that the release
// names, and those whose units come with it.
func Named(t *steps.Task) []string { return slices.Concat(t.Release.Services, t.Carried) }

// more returns names, and in addition the services among the units that which selects
// and the release does not name.
func more(t *steps.Task, names []string, units []unitfiles.Unit, which func(unitfiles.Unit) bool) []string {
	names = slices.Clone(names)
	for _, one := range units {
		base, ok := one.Service()
		if ok && !one.Template() && which(one) && !slices.Contains(names, base) && !slices.Contains(t.Release.Services, base) {
			names = append(names, base)
		}
	}
	return names
}

// ForTarget returns the companions that belong to the target. It leaves out those of
// the version that was left, and adds the triggers that the target carries and enables.
func (c Companions) ForTarget(u Units, t *steps.Task, boot string) (Companions, error) {
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
			continue // as in ToStop
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
		// The note is from before a reboot: the init system has started these units.
		c = Companions{Idle: c.Idle, Boot: boot}
	}
	for _, one := range target {
		// A service is not a trigger. One that does not stay up runs at boot, or when
		// another unit requires it.
		_, service := one.Service()
		if !service && one.Enabled && !one.Template() && !strings.HasSuffix(one.Name, ".target") {
			c.Triggers = union(c.Triggers, []string{one.Name})
		}
	}
	return c, nil
}
