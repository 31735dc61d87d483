package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/config"
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
services and units, space, the journal, keys, the files that downloads need, what
the device needs to update itself, the clock, the log, and whether the daemon, its
HTTP API and device-api answer. Nothing is changed.

A line fails when the device does not run what it should, or when the next update
cannot succeed; the exit code is then 13. All else that is worth doing is a warning.
Each line that does not pass says what to do. With --json, "run" has the commands
for a shell, where commands can do it.

With --config FILE that file is judged, before a daemon is restarted with it: a
mistake in it, and all that the device has to have for it. A daemon that runs with
another file is not asked, and goes on as it is.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var findings []doctor.Finding
			d, err := a.device()
			switch {
			case errors.Is(err, config.ErrMistake):
				findings = doctor.Unreadable(err)
			case err != nil:
				return err
			default:
				patient := d.patient()
				patient.Given = a.configFile != ""
				findings = doctor.Examine(cmd.Context(), patient)
			}
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
		Config: d.cfg, ConfigFile: d.configFile, Root: d.root, Clock: d.clock, Built: builtAt(), Trust: d.policy(),
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
