package healthcheck

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// names refuses a release that takes names of others: it would have a service stopped and
// started that has nothing to do with the versions, or put a program in the place of one of
// the system's. A version that is installed already has both by a decision of the past.
func (p *preflight) names(ctx context.Context) error {
	if p.g.cfg.Site == nil || p.t.Facts.Verify == nil {
		return nil
	}
	if err := p.shadows(); err != nil {
		return err
	}
	return p.strangers(ctx)
}

// shadows refuses a program that root's shells would find before one of the system's, in a
// release that nobody signed. Where such a release may bring commands, it needs no ruse. A
// link that is there has done so before, and a configured service is the operator's word.
func (p *preflight) shadows() error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	if site.Commands || p.t.Facts.Verify.SignedBy != "" {
		return nil
	}
	links, err := site.Store.Links(target)
	if err != nil {
		return steps.FromOS(err, "compare the links with version "+target)
	}
	for _, l := range links {
		name := filepath.Base(l.Path)
		configured := slices.ContainsFunc(p.g.cfg.Services, func(s service.Service) bool { return s.Is(name) })
		if l.State != versions.LinkMissing || configured || l.Path != site.Store.LinkPath("bin/"+name) {
			continue
		}
		for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"} {
			host, err := site.Root.Path(dir + name)
			if err != nil {
				continue // a directory that leads nowhere has no programs
			}
			if _, err := os.Lstat(host); err == nil {
				p.fatal(steps.BadSignature, "publish it under another name, or sign the release",
					"version %s has a program bin/%s, and no key of this device vouches for it: %s would be found before %s", target, name, l.Path, dir+name)
				break
			}
		}
	}
	return nil
}

// strangers refuses services of the system, or of an operator, that only the release names
// and that run nothing of the versions. An operator's script, and what has mounts of its
// own, may run something of them: the gate asks that of its processes.
func (p *preflight) strangers(ctx context.Context) error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	if site.UnitFiles == nil {
		return nil
	}
	for _, svc := range p.list {
		unit := svc.UnitName()
		_, changes := p.file(unit)
		if changes || !p.named[svc.Name] || !slices.Contains(p.t.Release.Services, svc.Name) {
			continue
		}
		at, err := site.UnitFiles.Taken(unit)
		if err != nil {
			return steps.FromOS(err, "look for the unit "+unit)
		}
		if at == "" {
			continue
		}
		l, err := p.launch(ctx, svc)
		if err != nil {
			return err
		}
		if p.follower(l, strings.HasPrefix(at, "/etc/systemd/system/")) {
			continue
		}
		p.told[svc.Name] = true
		p.fatal(steps.ServiceFailed, "publish a release that does not name it, or list "+unit+" under [units] allow in the configuration",
			"version %s names the service %s, and nothing that %s runs is of the versions", target, svc.Name, at)
	}
	return nil
}

// follower reports whether a service runs something of the target version, or, where that
// cannot be told, doubt.
func (p *preflight) follower(l service.Launch, doubt bool) bool {
	main, ok := l.MainCommand()
	if !ok || l.RootDir != "" || l.Image != "" || l.Private || !filepath.IsAbs(main.Path) {
		return doubt
	}
	target := p.t.Target.Current
	at := p.after.At(main.Path)
	script := provenance{host: p.g.cfg.Site.Root.Resolve}.scriptAt(at.Path)
	return at.Version == target || p.leadsInto(l, main, target) || doubt && (at.Err != nil || script && l.Type != "oneshot")
}
