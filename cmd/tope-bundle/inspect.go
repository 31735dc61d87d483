package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

func (a *app) inspectCommand() *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use:   "inspect BUNDLE",
		Short: "tell what is in a bundle, whoever signed it",
		RunE: func(_ *cobra.Command, args []string) error {
			o, err := pack.Open(args[0], bundle.DefaultLimits(), anySignature)
			if err != nil {
				return err
			}
			defer o.Close()
			if a.json {
				return a.document(struct {
					Digest string          `json:"digest"`
					Head   int64           `json:"head"`
					Total  int64           `json:"total"`
					File   json.RawMessage `json:"release"`
				}{o.Digest, o.Size, o.Layout.Total, o.Raw})
			}
			a.describe(o, files)
			return nil
		},
	}
	cmd.Flags().BoolVar(&files, "files", false, "list the files, too")
	return cmd
}

func (a *app) describe(o *pack.Opened, files bool) {
	r := o.Release
	a.say("%s %s", r.Product, r.Version)
	a.say("digest      %s", o.Digest)
	a.say("created     %s", r.Created.Format("2006-01-02 15:04:05Z07:00"))
	if !r.Expires.IsZero() {
		a.say("expires     %s", r.Expires.Format("2006-01-02 15:04:05Z07:00"))
	}
	a.say("epoch       %d", r.Epoch)
	list := func(name string, what []string, none string) {
		if text := strings.Join(what, ", "); text != "" || none != "" {
			if text == "" {
				text = none
			}
			a.say("%-12s%s", name, text)
		}
	}
	list("hardware", r.Hardware, "any")
	list("updater", []string{r.MinUpdater}, "any")
	list("services", r.Services, "")
	list("links", r.Links, "")
	for when, p := range r.Hooks {
		a.say("hook        %s: %s", when, p)
	}
	for _, w := range r.Writable {
		a.say("writable    %s (snapshot: %t)", w.Path, w.Snapshot)
	}
	signature := strings.Split(string(o.Signature), "\n")
	switch {
	case string(o.Signature) == native.Unsigned:
		a.say("signature   none")
	case len(signature) > 2:
		a.say("signature   %s (not checked; see verify)", strings.TrimPrefix(signature[0], "untrusted comment: "))
	}
	t := r.Totals()
	a.say("files       %d, %s", t.Files, bytesOf(t.Bytes))
	a.say("head        %s", bytesOf(o.Size))
	a.say("solid       %s", bytesOf(o.Layout.Solid.Length))
	a.say("alone       %d members, %s", len(o.Layout.Alone), bytesOf(sumOf(o.Layout.Alone)))
	a.say("patches     %d, %s", len(o.Layout.Patches), bytesOf(sumOf(o.Layout.Patches)))
	a.say("in all      %s", bytesOf(o.Layout.Total))
	for language, text := range r.Notes {
		a.say("notes (%s):", language)
		for line := range strings.SplitSeq(text, "\n") {
			a.say("%s", line)
		}
	}
	if files {
		for _, f := range r.Files {
			a.say("%4s %10d %s%s", f.Mode, f.Size, f.Path, arrow(f.Link))
		}
	}
}

func arrow(target string) string {
	if target == "" {
		return ""
	}
	return " -> " + target
}

func sumOf(spans []native.Span) int64 {
	var n int64
	for _, s := range spans {
		n += s.Length
	}
	return n
}
