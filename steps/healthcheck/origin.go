package healthcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// Origin is the kind of the question whether a service runs from the judged version.
// No configuration or release names such a check; the gate asks it of each service that
// is not declared to be outside the versions.
const Origin health.Kind = "origin"

// origins plans the question for each service. It may take as long as the service's
// other checks.
func (g *Gate) origins(list []service.Service, version string) ([]planned, error) {
	if g.cfg.Origins == nil || version == "" {
		return nil, nil
	}
	carried, err := g.carried(version)
	if err != nil {
		return nil, err
	}
	var plan []planned
	for _, svc := range list {
		if svc.OutsideVersions {
			continue
		}
		limit := time.Duration(0)
		for _, c := range g.checksOf(svc) {
			limit = max(limit, cmp.Or(time.Duration(c.Timeout), health.DefaultTimeout))
		}
		plan = append(plan, planned{
			check: health.Check{Service: svc.Name, Kind: Origin, Timeout: clock.Duration(limit)}, svc: svc,
			version: version, carried: slices.Contains(carried, svc.UnitName()),
		})
	}
	return plan, nil
}

// carried lists the units that a version brings with it.
func (g *Gate) carried(version string) (names []string, err error) {
	if g.cfg.Units == nil {
		return nil, nil
	}
	units, err := g.cfg.Units.Carried(version)
	if err != nil {
		return nil, steps.FromOS(err, "read the units of version "+version)
	}
	for _, u := range units {
		names = append(names, u.Name)
	}
	return names, nil
}

// certainError is the reason of a check that will not pass, however long it is asked.
type certainError struct{ error }

func (e certainError) Unwrap() error { return e.error }

func certain(err error) bool {
	var c certainError
	return errors.As(err, &c)
}

// origin demands that a service runs from the version, and no process of it from another.
func (g *Gate) origin(ctx context.Context, t *steps.Task, p planned) error {
	found, err := g.cfg.Origins.Of(ctx, g.cfg.Manager, p.svc)
	if err != nil {
		return err
	}
	st, err := g.cfg.Manager.Status(ctx, p.svc)
	switch {
	case err != nil:
		return err
	case len(found.Traces) == 0 && slices.Contains([]service.Active{service.Starting, service.Deactivating}, st.Active):
		return fmt.Errorf("%s is %s and has no process", p.svc.Name, st.Active)
	}
	return provenance{
		Origin: found, version: p.version, carried: p.carried, host: g.cfg.Origins.Root.Resolve,
		old:    func(tr look.Trace) bool { return g.startedBefore(t, tr) },
		brings: func(path string) string { return g.counterpart(p.version, path) },
	}.give()
}

// startedBefore reports whether a process was started before the switch.
func (g *Gate) startedBefore(t *steps.Task, tr look.Trace) bool {
	const grain = 20 * time.Millisecond // the kernel's clock tick, and the time between two looks at a clock
	return t.Since.Boot == g.cfg.Clock.Boot() && g.cfg.Clock.Monotonic()-tr.Age < t.Since.Mono-grain
}

// counterpart is the file of a version that belongs where another program is: of the same
// name in bin, or of the same path in services; "" when the version has none.
func (g *Gate) counterpart(version, program string) string {
	if g.cfg.Versions == nil {
		return ""
	}
	candidates := []string{filepath.Join("bin", filepath.Base(program))}
	if _, rest, ok := strings.Cut(program, "/services/"); ok {
		candidates = append(candidates, filepath.Join("services", rest))
	}
	for _, one := range candidates {
		info, err := os.Lstat(filepath.Join(g.cfg.Versions.Path(version), one))
		if err == nil && info.Mode().IsRegular() {
			return one
		}
	}
	return ""
}

// provenance judges where a service runs from.
type provenance struct {
	look.Origin
	version string
	// carried: the unit itself comes with the version, so what it executes may be the
	// system's.
	carried bool
	// host finds a device's path on this host.
	host func(device string) (string, error)
	// old: the process was started before the switch.
	old func(look.Trace) bool
	// brings: see Gate.counterpart.
	brings func(path string) string
}

// give gives the verdict. What the unit executes does not change by waiting, so that is
// certain; a process may still be ending, or may not have executed its program yet.
func (v provenance) give() error {
	for _, u := range v.Unit {
		switch {
		case v.another(u):
			return certainError{fmt.Errorf("%s, of version %s and not %s; %s", v.leads(u), u.Version, v.version, follow)}
		case v.shadows(u) && u.Part == look.Program && !v.script(u):
			return certainError{v.unproved()}
		}
	}
	stands := false // a program that stands in for one of the version's
	proved, hidden, fresh := v.carried, v.Hidden, len(v.Traces) == 0
	for _, t := range v.Traces {
		if t.Hidden != nil {
			hidden = t.Hidden
		}
		if err := v.barred(t); err != nil {
			return err
		}
		proved = proved || v.proves(t.Uses)
		fresh = fresh || t.Hidden != nil || !v.old(t)
		stands = stands || slices.ContainsFunc(t.Uses, v.shadows)
	}
	if fresh && !stands {
		// A process that was started after the switch, by what the unit leads to: a script
		// of the version that executes a program of the system, or a program of the system
		// that is given a file of the version and does not keep it open.
		proved = proved || v.proves(v.Unit)
	}
	switch {
	case proved:
		return nil
	case hidden != nil && len(v.Unit) == 0:
		return fmt.Errorf("it cannot be told from which version it runs: %w", hidden)
	case len(v.Traces) == 0:
		return certainError{v.unproved()}
	}
	return v.unproved()
}

// follow is what to do about a service that does not follow the versions.
const follow = `make it lead through current ("tope-updater links --adopt" replaces what has a link's place), or write outside_versions = true in its [[service]] if it has nothing to do with the versions`

// another reports whether a use binds the service to another version. Files that a program
// only has open do not: it may read those of any version, say to take over their data,
// and executes none of them. Nor do the arguments after the first.
func (v provenance) another(u look.Use) bool {
	return u.Binds() && u.Version != "" && u.Version != v.version
}

// shadows reports whether a program or script lies outside the versions, though the
// version has its own. An interpreter does not: what it runs is its script.
func (v provenance) shadows(u look.Use) bool {
	return u.Version == "" && !look.Interprets(u.Path) && (u.Part == look.Program || u.Part == look.Script) && v.brings(u.Path) != ""
}

// barred says why a process must not be there.
func (v provenance) barred(t look.Trace) error {
	switch {
	case t.Hidden != nil && v.old(t):
		return fmt.Errorf("%s was started before the switch and still runs, and it cannot be told from which version: %w", t.Process, t.Hidden)
	case t.Hidden != nil:
		return nil //nolint:nilerr // give goes by the unit instead
	}
	for _, u := range t.Uses {
		switch {
		case v.another(u):
			return fmt.Errorf("%s runs with the %s, of version %s and not %s; end it, or have its unit do so (KillMode=)", t.Process, u, u.Version, v.version)
		case (u.Part == look.Script || u.Part == look.Argument) && u.Version != "" && v.old(t):
			// Its path leads into this version now; what it led to when the process read
			// it is not known.
			return fmt.Errorf("%s was started before the switch and still runs, with the %s; end it, or have its unit do so (KillMode=)", t.Process, u)
		}
	}
	return nil
}

// proves reports whether uses show that the service runs from the version. A program that
// stands in for one of the version's shows nothing by its directory or its files.
func (v provenance) proves(uses []look.Use) bool {
	stranger := slices.ContainsFunc(uses, v.shadows)
	return slices.ContainsFunc(uses, func(u look.Use) bool {
		return u.Version == v.version && !u.Gone && (u.Part == look.Program || !stranger)
	})
}

// unproved says that nothing shows the version, and what there is in its place.
func (v provenance) unproved() error {
	said := "the service manager executes nothing for it"
	for _, u := range v.Unit {
		if u.Part == look.Program {
			said = v.leads(u)
			if own := v.brings(u.Path); v.shadows(u) {
				said += ", and not the " + own + " of the version"
			}
			break
		}
	}
	return fmt.Errorf("nothing that it runs is in version %s: %s; %s", v.version, said, follow)
}

// leads says what the path of the unit's program leads to.
func (v provenance) leads(u look.Use) string {
	switch {
	case u.Part != look.Program:
		return fmt.Sprintf("its unit has the %s", u)
	case u.Gone:
		return fmt.Sprintf("%s leads to nothing, there is no %s", v.Entry, u.Path)
	case v.Entry != u.Path:
		return fmt.Sprintf("%s leads to %s", v.Entry, u.Path)
	case u.Version == "":
		return fmt.Sprintf("%s is a plain file", u.Path)
	}
	return fmt.Sprintf("its unit executes %s", u.Path)
}

// script reports whether a program is one for an interpreter, which may execute one of
// the version in the end.
func (v provenance) script(u look.Use) bool { return v.scriptAt(u.Path) }

func (v provenance) scriptAt(path string) bool {
	host, err := v.host(path)
	if err != nil {
		return false
	}
	f, err := os.OpenFile(host, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe of the service keeps nobody waiting
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	var begin [2]byte
	_, err = io.ReadFull(f, begin[:])
	return err == nil && string(begin[:]) == "#!"
}
