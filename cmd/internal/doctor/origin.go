package doctor

import (
	"context"
	"slices"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

// origin is from which version a service runs, and whether that is the current one.
type origin struct {
	right bool
	text  string
	do    advice
}

func (c *checkup) origin(ctx context.Context, s config.Service) origin {
	svc := s.Service()
	if svc.OutsideVersions {
		return origin{right: true, text: " from outside the versions"}
	}
	if c.store == nil || c.atErr != nil || c.at.Current == "" || c.at.Marked {
		return origin{right: true} // pointers says why, or an update is at work
	}
	found, err := look.Origins{Root: c.Root, Versions: c.store.Dir()}.Of(ctx, c.manager, svc)
	if err != nil || len(found.Traces)+len(found.Unit) == 0 {
		return origin{right: true} // nothing can be told
	}
	again := c.restartServices(svc.UnitName())
	if c.blocked(found.Entry) {
		again = c.updater("links --adopt").then(again)
	}
	for _, v := range found.Versions() {
		if v != c.at.Current {
			return origin{text: "from version " + v + ", and current leads to " + c.at.Current, do: again}
		}
	}
	switch {
	case len(found.Versions()) > 0:
		return origin{right: true, text: " from version " + c.at.Current}
	case c.brought(svc.UnitName()) || found.Hidden != nil || slices.ContainsFunc(found.Traces, func(t look.Trace) bool { return t.Hidden != nil }):
		return origin{right: true}
	case c.blocked(found.Entry):
		return origin{text: "nothing that it runs is in a version: " + found.Entry + " is not a link through current", do: again}
	}
	return origin{
		text: "nothing that it runs is in a version, so no update of it can pass the gate",
		do:   say("have its unit execute a program of the version, through current, or write outside_versions = true in its [[service]]"),
	}
}

// blocked reports whether something else has the place of a link.
func (c *checkup) blocked(path string) bool {
	_, all, _ := look.Links(c.store) // links says what is wrong
	return slices.ContainsFunc(all, func(l versions.Link) bool { return l.Path == path && l.State == versions.LinkBlocked })
}

// brought reports whether the current version brings the unit itself.
func (c *checkup) brought(unit string) bool {
	carried, err := unitfiles.New(unitfiles.Config{Root: c.Root, Tree: c.store.Path}).Carried(c.at.Current)
	return err == nil && slices.ContainsFunc(carried, func(u unitfiles.Unit) bool { return u.Name == unit })
}
