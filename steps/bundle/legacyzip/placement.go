package legacyzip

import (
	"path"
	"strings"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
)

// The directories of the device into which packages may put files.
const (
	topePrefix = "/opt/tope/"
	binPrefix  = "/usr/local/bin/"
)

// place is one module's claim on a part of the package.
type place struct {
	module int
	// to is the destination in the version. into says that dst ended in a slash: a
	// file then goes below to, under its own name.
	to   string
	into bool
	// bin says that the destination is a program, so a directory cannot go there.
	bin bool
}

// placement maps each path of the package to its places in the version.
type placement struct {
	// places by src; two modules may take the same src to two destinations.
	places map[string][]*place
}

func newPlacement(m *manifest, limits bundle.Limits) (*placement, error) {
	p := &placement{places: map[string][]*place{}}
	for i, mod := range m.Modules {
		fail := func(field, value string, err error) error {
			return bundle.InvalidManifest("%s: module %d (%q): %s %q: %w", manifestName, i, mod.Name, field, value, err)
		}
		src := strings.TrimSuffix(strings.TrimPrefix(mod.Src, "./"), "/")
		if err := bundle.CheckPath(src, limits); err != nil {
			return nil, fail("src", mod.Src, err)
		}
		pl, err := destination(mod.Dst, limits)
		if err != nil {
			return nil, fail("dst", mod.Dst, err)
		}
		pl.module = i
		p.places[src] = append(p.places[src], pl)
	}
	return p, nil
}

// destination maps a path of the device into the version.
func destination(dst string, limits bundle.Limits) (*place, error) {
	pl := &place{}
	rest, tope := strings.CutPrefix(dst, topePrefix)
	if tope {
		pl.to, pl.into = strings.CutSuffix(rest, "/")
	} else {
		name, ok := strings.CutPrefix(dst, binPrefix)
		if !ok || strings.Contains(name, "/") || name == "" {
			return nil, bundle.InvalidManifest("it must be below %s or be %sNAME", topePrefix, binPrefix)
		}
		pl.to, pl.bin = "bin/"+name, true
	}
	if err := bundle.CheckPath(pl.to, limits); err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(pl.to, "/")
	switch first {
	case "versions", "shared":
		return nil, bundle.InvalidManifest("%s%s is not part of a release", topePrefix, first)
	}
	return pl, nil
}

// each calls f with every destination of the entry.
func (p *placement) each(h *header, f func(pl *place, to string) error) error {
	for src := h.path; ; {
		for _, pl := range p.places[src] {
			to, err := pl.of(h, src)
			if err != nil {
				return err
			}
			if err := f(pl, to); err != nil {
				return err
			}
		}
		i := strings.LastIndexByte(src, '/')
		if i < 0 {
			return nil
		}
		src = src[:i]
	}
}

// of returns where the place puts the entry. src is the path that the place is for: the
// entry itself or a directory above it.
func (pl *place) of(h *header, src string) (string, error) {
	below := h.path[len(src):]
	if pl.bin && (below != "" || h.typ == bundle.Dir) {
		return "", bundle.InvalidManifest("%s: module %d: src %q is a directory and dst a program", manifestName, pl.module, src)
	}
	to := pl.to + below
	if pl.into && below == "" && h.typ != bundle.Dir {
		to = pl.to + "/" + path.Base(src)
	}
	if to == versions.ManifestName || strings.HasPrefix(to, versions.ManifestName+"/") {
		return "", bundle.InvalidManifest("%s: module %d: %s belongs to the updater", manifestName, pl.module, to)
	}
	return to, nil
}
