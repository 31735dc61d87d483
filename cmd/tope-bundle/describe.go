package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/native"
)

// description is release.toml: the facts about a release that its directory cannot tell.
type description struct {
	Product    string            `toml:"product"`
	Hardware   []string          `toml:"hardware"`
	Version    string            `toml:"version"`
	Epoch      int64             `toml:"epoch"`
	MinUpdater string            `toml:"min_updater"`
	Expires    time.Time         `toml:"expires"`
	Notes      map[string]string `toml:"notes"`
	Services   []string          `toml:"services"`
	Links      []string          `toml:"links"`
	Hooks      map[string]string `toml:"hooks"`
	Writable   []struct {
		Path     string `toml:"path"`
		Snapshot bool   `toml:"snapshot"`
	} `toml:"writable"`
	Health []struct {
		Service string `toml:"service"`
		health.Check
	} `toml:"health"`
}

// releaseFlags describe a release to a verb: a file for the lasting facts, and
// flags for those that change from release to release.
type releaseFlags struct {
	file, product, version, created string
	epoch                           int64
}

func (f *releaseFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "release", "", "TOML `file` that describes the release (docs/bundle-format.md)")
	cmd.Flags().StringVar(&f.product, "product", "", "product, instead of the file's")
	cmd.Flags().StringVar(&f.version, "version", "", "version, instead of the file's")
	f.epoch = -1
	cmd.Flags().Var(count{&f.epoch}, "epoch", "epoch, instead of the file's")
	cmd.Flags().StringVar(&f.created, "created", "", "time stamp (RFC 3339), instead of SOURCE_DATE_EPOCH or now")
}

// load makes the release from the file and the flags.
func (f *releaseFlags) load() (r native.Release, err error) {
	var d description
	if f.file != "" {
		meta, err := toml.DecodeFile(f.file, &d)
		if err != nil {
			return r, fmt.Errorf("cannot read %s: %w", f.file, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return r, usagef("%s: there is no key %s", filepath.Base(f.file), unknown[0])
		}
	}
	r = native.Release{
		Product: d.Product, Hardware: d.Hardware, Version: strings.TrimPrefix(d.Version, "v"), Epoch: d.Epoch, MinUpdater: d.MinUpdater,
		Expires: d.Expires, Notes: d.Notes, Services: d.Services, Brought: versions.Brought{Links: d.Links},
	}
	if !d.Expires.IsZero() {
		r.Expires = d.Expires.UTC()
	}
	for name, p := range d.Hooks {
		if r.Hooks == nil {
			r.Hooks = map[versions.Hook]string{}
		}
		r.Hooks[versions.Hook(name)] = p
	}
	for _, w := range d.Writable {
		r.Writable = append(r.Writable, versions.Writable(w))
	}
	for _, h := range d.Health {
		h.Check.Service = h.Service
		r.Health = append(r.Health, h.Check)
	}
	if err := health.Released(r.Health); err != nil {
		return r, usagef("%s: %w", filepath.Base(f.file), err)
	}
	return r, f.override(&r)
}

func (f *releaseFlags) override(r *native.Release) (err error) {
	if f.product != "" {
		r.Product = f.product
	}
	if f.version != "" {
		r.Version = strings.TrimPrefix(f.version, "v")
	}
	if f.epoch >= 0 {
		r.Epoch = f.epoch
	}
	if r.Epoch < 0 {
		return usagef("%s: epoch %d: write a whole number, 0 or more", filepath.Base(f.file), r.Epoch)
	}
	r.Created, err = f.time()
	if err != nil {
		return err
	}
	if r.Product == "" {
		return usagef("say what product it is for: product in the description, or --product")
	}
	if err := versions.ValidVersion(r.Version); err != nil {
		return usagef("say what version it is: version in the description, or --version (%w)", err)
	}
	return nil
}

// time is the release's time stamp, in whole seconds.
func (f *releaseFlags) time() (time.Time, error) {
	if f.created != "" {
		t, err := time.Parse(time.RFC3339, f.created)
		if err != nil {
			return t, usagef("--created %q is not an RFC 3339 time, such as 2026-11-26T08:00:00Z", f.created)
		}
		return t.UTC().Truncate(time.Second), nil
	}
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		sec, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, usagef("SOURCE_DATE_EPOCH %q is not a number of seconds", s)
		}
		return time.Unix(sec, 0).UTC(), nil
	}
	return time.Now().UTC().Truncate(time.Second), nil
}
