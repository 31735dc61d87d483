package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/doctor"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/platform/versions"
)

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
			findings := doctor.Examine(cmd.Context(), d.patient())
			fails := 0
			for _, f := range findings {
				if f.Level == doctor.Fail {
					fails++
				}
			}
			err = a.term.answer(struct {
				Findings []doctor.Finding `json:"findings"`
			}{findings}, func(t *terminal) { t.findings(findings) })
			if err == nil && fails > 0 {
				err = fmt.Errorf("%w: %d of %d checks failed", errAttention, fails, len(findings))
			}
			return err
		},
	}
}

// patient is the device as the doctor wants it.
func (d *device) patient() doctor.Device {
	return doctor.Device{
		Config: d.cfg, ConfigFile: d.configFile, Root: d.root, Clock: d.clock, Trust: d.policy(),
		Versions: func() (*versions.Store, error) { return d.openVersions(false) },
		Manager:  d.openManager, Journal: d.openReader,
	}
}

func (t *terminal) findings(all []doctor.Finding) {
	colours := map[doctor.Level]timeline.Colour{doctor.Pass: timeline.Good, doctor.Warn: timeline.Warn, doctor.Fail: timeline.Bad}
	for _, f := range all {
		t.say("%s  %-12s %s", t.paint(colours[f.Level], string(f.Level)), f.Check, f.Text)
		if f.Do != "" {
			t.say("      %-12s -> %s", "", f.Do)
		}
	}
}
