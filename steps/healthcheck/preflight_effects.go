package healthcheck

import (
	"context"
	"slices"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// effects asks whether Switch could do its work: links, unit files, snapshots.
func (p *preflight) effects(ctx context.Context) error {
	if p.g.cfg.Site == nil {
		return nil
	}
	if err := disk.Writable(p.g.cfg.Site.Store.Dir()); err != nil {
		p.unwritable(err) // a way back by hand writes nothing before the pointers
	}
	if err := p.links(); err != nil {
		return err
	}
	if err := p.unitFiles(); err != nil {
		return err
	}
	return p.snapshots(ctx)
}

func (p *preflight) links() error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	if err := site.Store.ProbeLinks(target); err != nil {
		p.unwritable(err)
	}
	links, err := site.Store.Links(target)
	if err != nil {
		return steps.FromOS(err, "compare the links with version "+target)
	}
	brought, err := running.BroughtBy(p.g.cfg.Versions, target)
	if err != nil {
		return err
	}
	for _, entry := range brought.Links {
		path := site.Store.LinkPath(entry)
		if slices.ContainsFunc(links, func(l versions.Link) bool { return l.Path == path && l.State == versions.LinkBlocked }) {
			p.fatal(steps.DeploymentFailed, "move it away (tope-updater links --adopt does)", "version %s cannot do without the link %s, and something else has its name", target, path)
		}
	}
	return nil
}

func (p *preflight) unitFiles() error {
	site := p.g.cfg.Site
	if site.UnitFiles == nil {
		return nil
	}
	left, err := site.UnitFiles.Probe(p.t.Target.Current)
	if err != nil {
		p.unwritable(err)
	}
	taken, err := site.UnitFiles.Collisions(p.t.Target.Current)
	if err != nil {
		return steps.FromOS(err, "compare the names of units with those of this device")
	}
	// A version that is installed already has its units by a decision of the past: the
	// device goes back to it as it is.
	tell := p.warn
	if p.t.Facts.Verify != nil {
		tell = p.fatal
	}
	for _, l := range taken {
		left = slices.DeleteFunc(left, func(o unitfiles.Left) bool { return o.Unit == l.Unit })
		tell(steps.ServiceFailed, "publish it under another name, or list it under [units] allow in the configuration",
			"version %s brings a unit %s, and this device has one of its own, %s", p.t.Target.Current, l.Unit, l.Why)
	}
	for _, l := range left {
		p.warn(steps.ServiceFailed, "", "the unit %s of version %s will not be put into effect: %s", l.Unit, p.t.Target.Current, l.Why)
	}
	return nil
}

// snapshots asks whether what services wrote can be kept, in the room that there is.
func (p *preflight) snapshots(ctx context.Context) error {
	site := p.g.cfg.Site
	if site.Snapshots == nil {
		return nil
	}
	_, paths, err := running.Owes(p.g.cfg.Versions, p.t.Before.Current, p.t.Target.Current)
	if err != nil || len(paths) == 0 {
		return err
	}
	size, err := site.Snapshots.Measure(ctx, paths)
	if err == nil {
		err = site.Snapshots.Fits(size)
	}
	if err == nil && site.Shared != "" {
		if werr := disk.Writable(site.Shared); werr != nil {
			p.unwritable(werr)
		}
	}
	if err != nil && ctx.Err() == nil {
		e := steps.AsError(running.SnapshotError(err, "no snapshot can be taken of what the services wrote"))
		p.fatal(e.Code, e.Hint, "%s", oneLine(e.Err))
	}
	return nil
}

// unwritable tells of a directory that a switch would write to, and what keeps it from that.
func (p *preflight) unwritable(err error) {
	hint := "make the directory writable, or name another one in the configuration ([paths])"
	if look.DeniedBySandbox(err) {
		hint = steps.SandboxHint
	}
	p.fatal(code(err), hint, "%s", oneLine(err))
}

// code is the code for an error of the operating system.
func code(err error) steps.Code {
	if disk.OutOfSpace(err) {
		return steps.DiskFull
	}
	if e := steps.AsError(steps.FromOS(err, "probe")); e.Code != steps.Internal {
		return e.Code
	}
	return steps.DeploymentFailed
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
