package healthcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// follows refuses a service whose program is not in the target version and will not be,
// as far as that is certain: a file that stands in for a program of the version, and one
// of which the gate's question has found on the running version already that nothing of
// the version runs. A program that is a script may execute one of the version in the end.
func (p *preflight) follows(ctx context.Context) error {
	site, target := p.g.cfg.Site, p.t.Target.Current
	carried, err := p.g.carried(target)
	if err != nil || site == nil {
		return err
	}
	for _, svc := range p.list {
		if svc.OutsideVersions || p.told[svc.Name] || slices.Contains(carried, svc.UnitName()) {
			continue
		}
		l, err := p.launch(ctx, svc)
		if err != nil {
			return err
		}
		main, ok := l.MainCommand()
		if !ok || l.RootDir != "" || l.Image != "" || l.Private || !filepath.IsAbs(main.Path) {
			continue
		}
		at := p.after.At(main.Path)
		judge := provenance{version: target, host: site.Root.Resolve}
		// A oneshot has no process, when it has run, that could show what its script executed.
		if at.Err != nil || at.Version != "" || judge.scriptAt(at.Path) && l.Type != "oneshot" {
			continue
		}
		own := p.g.counterpart(target, at.Path)
		if look.Interprets(at.Path) {
			own = ""
		}
		if own == "" && (p.leadsInto(l, main, target) || !p.failedBefore(svc)) {
			continue
		}
		text := "nothing that it runs would be in version " + target
		if own != "" {
			text = "and not the " + own + " of version " + target
		}
		p.fatal(steps.ServiceFailed, follow, "%s executes %s, a plain file outside the versions, %s", svc.UnitName(), at, text)
	}
	return nil
}

// leadsInto reports whether an argument or the working directory would lie in a version.
func (p *preflight) leadsInto(l service.Launch, main service.Execution, version string) bool {
	words := append([]string{l.Dir}, main.Args...)
	for _, arg := range main.Args {
		words = append(words, look.PathsIn(arg)...)
	}
	for _, word := range words {
		if !filepath.IsAbs(word) {
			word = filepath.Join("/", strings.TrimPrefix(l.Dir, "~"), word)
		}
		if at := p.after.At(word); at.Err == nil && at.Version == version {
			return true
		}
	}
	return false
}

// failedBefore reports whether nothing of the running version was run by a service.
func (p *preflight) failedBefore(svc service.Service) bool {
	passed, asked := p.ranBefore(svc)
	return asked && !passed
}

// ranBefore tells the result of the gate's question of the running version.
func (p *preflight) ranBefore(svc service.Service) (passed, asked bool) {
	var ev Evidence
	if len(bytes.TrimSpace(p.verdict)) == 0 || json.Unmarshal(p.verdict, &ev) != nil {
		return false, false
	}
	for _, r := range ev.Results {
		if r.Service == svc.Name && r.Kind == Origin {
			return r.Passed, true
		}
	}
	return false, false
}
