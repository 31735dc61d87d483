package healthcheck

import (
	"path/filepath"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// brought lists what the judged version brings: its checks, and its health hook as one
// more check.
func (g *Gate) brought(list []service.Service, version string) ([]planned, error) {
	b, err := running.BroughtBy(g.cfg.Versions, version)
	if err != nil {
		return nil, err
	}
	var plan []planned
	for _, h := range b.Health {
		if g.cfg.HookOnly {
			break
		}
		p := planned{check: h, svc: service.Service{Name: h.Service}, own: true}
		for _, s := range list {
			if s.Name == h.Service {
				p.svc = s
			}
		}
		if h.Kind == health.Command && len(h.Command) > 0 {
			if p.run, err = g.program(h.Command, version); err != nil {
				return nil, err
			}
			p.dir = g.cfg.Versions.Path(version)
		}
		plan = append(plan, p)
	}
	if path := b.Hooks[versions.HealthHook]; path != "" {
		plan = append(plan, planned{
			own:   true,
			check: health.Check{Kind: Hook, Command: []string{path}, Timeout: clock.Duration(running.HookTimeout)},
			dir:   g.cfg.Versions.Path(version),
		})
	}
	return plan, nil
}

// program finds the program of a release's command on this host: a relative
// path is in the version.
func (g *Gate) program(command []string, version string) ([]string, error) {
	run := append([]string(nil), command...)
	switch {
	case !filepath.IsAbs(run[0]):
		run[0] = filepath.Join(g.cfg.Versions.Path(version), filepath.FromSlash(run[0]))
	case g.cfg.Resolve != nil:
		host, err := g.cfg.Resolve(run[0])
		if err != nil {
			return nil, steps.FromOS(err, "find "+run[0])
		}
		run[0] = host
	}
	return run, nil
}
