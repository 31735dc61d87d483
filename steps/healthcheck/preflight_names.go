package healthcheck

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// shadows refuses a program that root's shells would find before one of the system's, in a
// release that nobody signed. Where such a release may bring commands, it needs no ruse. A
// link that is there has done so before, and a configured service is the operator's word.
// A version that is installed already has its names by a decision of the past.
func (p *preflight) shadows(context.Context) error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	if site == nil || p.t.Facts.Verify == nil || site.Commands || p.t.Facts.Verify.SignedBy != "" {
		return nil
	}
	place := p.after.At(site.Store.LinkPath("bin/")).Path
	if place != p.after.At("/usr/local/bin").Path && place != p.after.At("/usr/local/sbin").Path {
		return nil // the shells look elsewhere
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
			// An earlier installation may have linked it into the versions.
			if at := p.after.At(dir + name); !at.Missing() && at.Version == "" {
				p.fatal(steps.BadSignature, "publish it under another name, or sign the release",
					"version %s has a program bin/%s, and no key of this device vouches for it: %s would be found before %s", target, name, l.Path, dir+name)
				break
			}
		}
	}
	return nil
}

// strangers refuses services of the system, or of an operator, that only the release names
// and that run nothing of the versions: they would be stopped and started for nothing. A
// service whose processes run something of the running version is taken, whatever its unit
// says. An operator's script or wrapper, and what has mounts of its own, may run something
// of the target: the gate asks that of its processes.
func (p *preflight) strangers(ctx context.Context) error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	if site == nil || p.t.Facts.Verify == nil || site.UnitFiles == nil {
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
		if ran, _ := p.ranBefore(svc); ran || p.follower(l, operators(at)) {
			continue
		}
		p.told[svc.Name] = true
		p.fatal(steps.ServiceFailed, "publish a release that does not name it, or list "+unit+" under [units] allow in the configuration",
			"version %s names the service %s, and nothing that %s runs is of the versions", target, svc.Name, at)
	}
	return nil
}

// operators reports whether a unit may be an operator's by the place of its file: generators
// make units of SysV scripts, which may be those of an operator.
func operators(at string) bool {
	return strings.HasPrefix(at, "/etc/") || strings.HasPrefix(at, "/run/") || strings.HasPrefix(at, "/usr/local/")
}

// follower reports whether a service runs something of the target version, or, where that
// cannot be told, doubt. It cannot be told of scripts, of interpreters, and of wrappers
// (env, nice) that are given the name of a program of the version.
func (p *preflight) follower(l service.Launch, doubt bool) bool {
	main, ok := l.MainCommand()
	if !ok || l.RootDir != "" || l.Image != "" || l.Private {
		return doubt
	}
	target := p.t.Target.Current
	at := p.after.Program("/", main.Path, l.Search)
	if at.Version == target || p.leadsInto(l, main, target) {
		return true
	}
	if !doubt || at.Err != nil {
		return doubt
	}
	// A oneshot has no process, when it has run, that could show what was executed.
	script := provenance{host: p.g.cfg.Site.Root.Resolve}.scriptAt(at.Path)
	return l.Type != "oneshot" && (script || look.Interprets(at.Path) || slices.ContainsFunc(main.Args[min(1, len(main.Args)):], p.names))
}

// names reports whether a word of an argument is the name of a program of the target.
func (p *preflight) names(arg string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()'\"", r) }), func(word string) bool {
		return p.after.At(p.g.cfg.Site.Store.LinkPath("bin/"+filepath.Base(word))).Version == p.t.Target.Current
	})
}
