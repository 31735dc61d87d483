package main

import (
	"strconv"
	"strings"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// unvouched are the words of [trust] unsigned_brings that a device needs to take the
// release without a signature that it trusts.
func unvouched(r *native.Release) []string {
	var c bundle.Carried
	for _, f := range r.Files {
		c.Add(f.Path, true)
	}
	return bundle.Kinds(bundle.Release{Brought: r.Brought}, c)
}

// noteUnvouched warns of what devices refuse in a release for which no key vouches.
func (a *app) noteUnvouched(kinds []string) {
	if len(kinds) == 0 {
		return
	}
	quoted := make([]string, len(kinds))
	for i, k := range kinds {
		quoted[i] = strconv.Quote(k)
	}
	a.note("warning: it brings %s: without a signature by one of its keys a device refuses that, unless it has [trust] unsigned_brings = [%s]",
		strings.Join(kinds, ", "), strings.Join(quoted, ", "))
}
