// Package doctor looks for what is wrong with a device, and says what to do
// about it. It is the verb of that name.
//
// It looks at everything that updates and recovery depend on, through the same
// code (package look), and adds the verdict. It changes nothing, starts nothing
// and makes nothing, also where something is missing.
//
// Each check is a method of checkup in the file that its subject names. To add
// one, write it there and put it into the list in this file, at the place where
// an operator would look for it.
package doctor

import (
	"context"
	"fmt"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/trust"
)

// Device is the device to examine. Each function opens the thing that it is named
// after, for reading; the doctor closes it.
type Device struct {
	Config config.Config
	// ConfigFile is where the configuration is, or would be.
	ConfigFile string
	Root       disk.Root
	Clock      clock.Clock
	Trust      trust.Policy
	Versions   func() (*versions.Store, error)
	Manager    func() (service.Manager, error)
	Journal    func() (*journal.Reader, error)
}

// Level is how bad a finding is.
type Level string

// The levels.
const (
	Pass Level = "pass"
	Warn Level = "warn" // works, but will hurt one day
	Fail Level = "fail" // updates or recovery cannot work like this
)

// Finding is one line of the doctor's answer.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
	// Do is what to do about it; empty for a pass.
	Do string `json:"do,omitempty"`
}

// Examine runs every check. A check that cannot be made is a finding itself.
func Examine(ctx context.Context, d Device) []Finding {
	c := &checkup{Device: d}
	c.seen = c.lookAround()
	if c.manager != nil {
		defer func() { _ = c.manager.Close() }() // it was only asked
	}
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
		{"services", c.services},
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

// checkup collects findings under the name of the current check.
type checkup struct {
	Device
	seen
	name     string
	findings []Finding
}

func (c *checkup) add(l Level, do, format string, args ...any) {
	c.findings = append(c.findings, Finding{c.name, l, fmt.Sprintf(format, args...), do})
}

func (c *checkup) pass(format string, args ...any)     { c.add(Pass, "", format, args...) }
func (c *checkup) warn(do, format string, args ...any) { c.add(Warn, do, format, args...) }
func (c *checkup) fail(do, format string, args ...any) { c.add(Fail, do, format, args...) }
