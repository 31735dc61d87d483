package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/timeline"
)

// level is how bad a finding is.
type level string

const (
	pass level = "pass"
	warn level = "warn" // works, but will hurt one day
	fail level = "fail" // updates or recovery cannot work like this
)

// finding is one line of the doctor's.
type finding struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	Text  string `json:"text"`
	// Do is what to do about it; empty for a pass.
	Do string `json:"do,omitempty"`
}

// checkup collects findings under the name of the check at work.
type checkup struct {
	*device
	name     string
	findings []finding
}

func (c *checkup) add(l level, do, format string, args ...any) {
	c.findings = append(c.findings, finding{c.name, l, fmt.Sprintf(format, args...), do})
}

func (c *checkup) pass(format string, args ...any)     { c.add(pass, "", format, args...) }
func (c *checkup) warn(do, format string, args ...any) { c.add(warn, do, format, args...) }
func (c *checkup) fail(do, format string, args ...any) { c.add(fail, do, format, args...) }

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "look for what is wrong with this device, and say what to do",
		Long: `Look at everything updates and recovery depend on: directories, file systems and
how they are mounted, owners, pointers, versions, links, the factory version,
services and units, space, the journal, keys, the clock, the log, and whether the
daemon, its HTTP API and device-api answer. Nothing is changed. Each line passes,
warns (it works, but will hurt one day) or fails, and says what to do.
The exit code is 13 when something would keep an update or a recovery from
working.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.device()
			if err != nil {
				return err
			}
			findings := d.examine(cmd.Context())
			fails := 0
			for _, f := range findings {
				if f.Level == fail {
					fails++
				}
			}
			err = a.term.answer(struct {
				Findings []finding `json:"findings"`
			}{findings}, func(t *terminal) { t.findings(findings) })
			if err == nil && fails > 0 {
				err = fmt.Errorf("%w: %d of %d checks failed", errAttention, fails, len(findings))
			}
			return err
		},
	}
}

// examine runs every check. One that cannot be made is a finding itself.
func (d *device) examine(ctx context.Context) []finding {
	c := &checkup{device: d}
	for _, check := range []struct {
		name string
		run  func(context.Context)
	}{
		{"config", c.configuration},
		{"directories", c.directories},
		{"filesystems", c.mounts},
		{"owners", c.owners},
		{"pointers", c.pointers},
		{"versions", c.installed},
		{"links", c.links},
		{"factory", c.factory},
		{"services", c.running},
		{"units", c.units},
		{"space", c.space},
		{"journal", c.journal},
		{"trust", c.trust},
		{"clock", c.time},
		{"log", c.retention},
		{"daemon", c.daemon},
		{"http api", c.api},
		{"device-api", c.deviceAPI},
	} {
		c.name = check.name
		before := len(c.findings)
		check.run(ctx)
		if len(c.findings) == before {
			c.pass("nothing wrong")
		}
	}
	return c.findings
}

func (t *terminal) findings(all []finding) {
	colours := map[level]timeline.Colour{pass: timeline.Good, warn: timeline.Warn, fail: timeline.Bad}
	for _, f := range all {
		t.say("%s  %-12s %s", t.paint(colours[f.Level], string(f.Level)), f.Check, f.Text)
		if f.Do != "" {
			t.say("      %-12s -> %s", "", f.Do)
		}
	}
}
