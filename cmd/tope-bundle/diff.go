package main

import (
	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// change is one file that differs between two bundles.
type change struct {
	Path string `json:"path"`
	What string `json:"what"`
	Size int64  `json:"size,omitempty"`
	// Fetch is how many bytes a device with the old release downloads for the
	// file, Alone how many it would download without a patch.
	Fetch int64 `json:"fetch,omitempty"`
	Alone int64 `json:"alone,omitempty"`
	Patch bool  `json:"patch,omitempty"`
	// Why says why there is no patch for a file that has to be downloaded.
	Why pack.Why `json:"why,omitempty"`
}

type difference struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Head    int64    `json:"head"`
	Fetch   int64    `json:"fetch"`
	Alone   int64    `json:"alone"`
	Solid   int64    `json:"solid"`
	Changes []change `json:"changes"`
}

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "tell what changed from bundle A to B, and what each patch saves",
		RunE: func(_ *cobra.Command, args []string) error {
			var open [2]*pack.Opened
			for i, name := range args {
				o, err := pack.Open(name, bundle.DefaultLimits(), anySignature)
				if err != nil {
					return err
				}
				defer o.Close()
				open[i] = o
			}
			d := compare(open[0], open[1])
			if a.json {
				return a.document(d)
			}
			a.showDifference(d)
			return nil
		},
	}
}

func compare(from, to *pack.Opened) difference {
	d := difference{From: from.Release.Version, To: to.Release.Version, Head: to.Size, Solid: to.Layout.Solid.Length, Changes: []change{}}
	old, have := map[string]native.File{}, map[string]bool{}
	for _, f := range from.Release.Files {
		old[f.Path] = f
		have[f.SHA256] = true
	}
	alone, patch := map[string]int64{}, map[string]int64{}
	for i, c := range to.Release.Contents() {
		alone[c.SHA256] = to.Release.Payload.Alone[i].Length
	}
	for _, p := range to.Release.Payload.Patches {
		sha := to.Release.Files[p.File].SHA256
		if least, ok := patch[sha]; have[p.Base] && (!ok || p.Length < least) {
			patch[sha] = p.Length
		}
	}
	fetched := map[string]bool{}
	base := pack.BaseOf("", from.Release.Files)
	for _, f := range to.Release.Files {
		was, ok := old[f.Path]
		delete(old, f.Path)
		if ok && was == f {
			continue
		}
		c := change{Path: f.Path, What: "changed", Size: f.Size}
		if !ok {
			c.What = "new"
		}
		if f.Size > 0 && !have[f.SHA256] && !fetched[f.SHA256] {
			fetched[f.SHA256] = true
			c.Alone = alone[f.SHA256]
			c.Fetch, c.Patch = patch[f.SHA256], patch[f.SHA256] > 0
			if !c.Patch {
				c.Fetch = c.Alone
				if _, c.Why = base.From(f, pack.DefaultMaxPatch); c.Why == "" {
					c.Why = pack.NoGain
				}
			}
			d.Fetch += c.Fetch
			d.Alone += c.Alone
		}
		d.Changes = append(d.Changes, c)
	}
	for _, f := range from.Release.Files {
		if _, gone := old[f.Path]; gone {
			d.Changes = append(d.Changes, change{Path: f.Path, What: "gone"})
		}
	}
	return d
}

func (a *app) showDifference(d difference) {
	a.say("from %s to %s: %d files differ", d.From, d.To, len(d.Changes))
	for _, c := range d.Changes {
		switch {
		case c.What == "gone":
			a.say("  gone     %s", c.Path)
		case c.Patch:
			a.say("  %-8s %s: a patch of %s instead of %s", c.What, c.Path, bytesOf(c.Fetch), bytesOf(c.Alone))
		case c.Why == pack.NoGain:
			a.say("  %-8s %s: %s, without a patch: it would not be smaller, or none was made from %s", c.What, c.Path, bytesOf(c.Fetch), d.From)
		case c.Fetch > 0:
			a.say("  %-8s %s: %s, without a patch: %s", c.What, c.Path, bytesOf(c.Fetch), whyText(c.Why, pack.DefaultMaxPatch))
		default:
			a.say("  %-8s %s: nothing to download", c.What, c.Path)
		}
	}
	a.say("a device with %s downloads the head, %s, and %s; without patches %s, a first install %s",
		d.From, bytesOf(d.Head), bytesOf(d.Fetch), bytesOf(d.Alone), bytesOf(d.Solid))
}
