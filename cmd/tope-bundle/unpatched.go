package main

import (
	"fmt"

	"github.com/tope/updater/steps/bundle/pack"
)

// unpatched counts the changed files that a device with an earlier release downloads
// whole, for one reason.
type unpatched struct {
	From  string   `json:"from"`
	Why   pack.Why `json:"why"`
	Files int      `json:"files"`
	// Fetch is how many bytes the device downloads for them.
	Fetch int64 `json:"fetch"`
	// Paths names the files; with --verbose only, since there may be many.
	Paths []string `json:"paths,omitempty"`
}

// without counts by earlier release and reason, in the order in which they come first.
func without(all []pack.Unpatched, verbose bool) []unpatched {
	type key struct {
		from string
		why  pack.Why
	}
	var list []unpatched
	at := map[key]int{}
	for _, u := range all {
		k := key{u.From, u.Why}
		i, there := at[k]
		if !there {
			i, at[k] = len(list), len(list)
			list = append(list, unpatched{From: u.From, Why: u.Why})
		}
		list[i].Files++
		list[i].Fetch += u.Fetch
		if verbose {
			list[i].Paths = append(list[i].Paths, u.Path)
		}
	}
	return list
}

// whyText is a reason in words; maxPatch is in bytes.
func whyText(why pack.Why, maxPatch int64) string {
	switch why {
	case pack.NoBase:
		return "it has no file of that name"
	case pack.TooLarge:
		return fmt.Sprintf("larger than %s (--max-patch; max_patch on the device)", bytesOf(maxPatch))
	case pack.NoGain:
		return "a patch would not be smaller"
	}
	return string(why)
}

func (a *app) noteUnpatched(list []unpatched, maxPatch int64) {
	for _, u := range list {
		files := "1 file"
		if u.Files > 1 {
			files = fmt.Sprintf("%d files", u.Files)
		}
		a.note("no patch from %s for %s, %s to download: %s", u.From, files, bytesOf(u.Fetch), whyText(u.Why, maxPatch))
		for _, p := range u.Paths {
			a.note("  %s", p)
		}
	}
}
