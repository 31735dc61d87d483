// Package doctor looks for what is wrong with a device, and says what to do
// about it. It is the verb of that name.
//
// It looks at everything that updates and recovery depend on, through the same
// code (package look), and adds the verdict. It changes nothing, starts nothing
// and makes nothing, also where something is missing.
//
// # One rule of severity
//
// A finding fails when the device does not run what it should, or when the next
// update cannot succeed: somebody has to act now, and the verb's exit code is 13. All
// else that is worth doing is a warning, however grave it may become: a factory
// version that cannot start, a key that anybody can write, a recovery that does not run
// at boot. Whether a thing is right is told of what is there now, never of what the
// journal remembers.
//
// Each finding that is not a pass says what to do. Where commands can do it, they are
// in Run, ready for a shell, and a test follows them on a real device: break, ask, do
// what it says, ask again. Advice in words alone is for what a person has to decide.
//
// Each check is a method of checkup in the file that its subject names. To add
// one, write it there and put it into the list in this file, at the place where
// an operator would look for it.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

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
	// ConfigFile is the host path where the configuration is, or would be.
	ConfigFile string
	// Given is set when somebody has named that file: it may be another than the one with
	// which the daemon runs, and is then judged as that of the next one.
	Given bool
	Root  disk.Root
	Clock clock.Clock
	// Built is when this program was made: no right clock is before that.
	Built    time.Time
	Trust    trust.Policy
	Versions func() (*versions.Store, error)
	Manager  func() (service.Manager, error)
	Journal  func() (*journal.Reader, error)
}

// Level is how bad a finding is.
type Level string

// The levels; the package comment has the rule.
const (
	Pass Level = "pass"
	Warn Level = "warn" // worth doing
	Fail Level = "fail" // the device does not run what it should, or the next update cannot succeed
)

// Finding is one line of the doctor's answer.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
	// Do is what to do about it, with the commands of Run; empty for a pass.
	Do string `json:"do,omitempty"`
	// Run are commands for sh that do it, run by root; empty where only a person can.
	Run string `json:"run,omitempty"`
}

// Checks names all checks, in the order of their findings.
func Checks() (names []string) {
	for _, one := range checks {
		names = append(names, one.name)
	}
	return names
}

// checks are in the order in which an operator would look.
var checks = []struct {
	name string
	run  func(*checkup, context.Context)
}{
	{"config", (*checkup).configuration},
	{"directories", (*checkup).directories},
	{"filesystems", (*checkup).mounts},
	{"owners", (*checkup).owners},
	{"pointers", (*checkup).pointers},
	{"versions", (*checkup).installed},
	{"links", (*checkup).links},
	{"factory", (*checkup).factory},
	{"services", (*checkup).services},
	{"units", (*checkup).units},
	{"sandbox", (*checkup).sandbox},
	{"space", (*checkup).space},
	{"journal", (*checkup).history},
	{"quarantine", (*checkup).quarantine},
	{"trust", (*checkup).trust},
	{"download", (*checkup).download},
	{"fleet", (*checkup).fleet},
	{"clock", (*checkup).time},
	{"log", (*checkup).retention},
	{"daemon", (*checkup).daemon},
	{"http api", (*checkup).api},
	{"network", (*checkup).network},
	{"device-api", (*checkup).deviceAPI},
}

// Unreadable is the answer for a device whose configuration has a mistake, with which no
// updater starts: err tells the file, the line, and what to write. Each line of it is a
// finding.
func Unreadable(err error) []Finding {
	c := &checkup{name: "config"}
	for mistake := range strings.SplitSeq(err.Error(), "\n") {
		c.fail(say("correct it; a daemon that runs goes on with what it has until it is restarted"), "%s", mistake)
	}
	return c.findings
}

// Examine runs every check. A check that cannot be made is a finding itself.
func Examine(ctx context.Context, d Device) []Finding {
	c := &checkup{Device: d}
	c.seen = c.lookAround(ctx)
	if c.manager != nil {
		defer func() { _ = c.manager.Close() }() // it was only asked
	}
	for _, check := range checks {
		c.name = check.name
		before := len(c.findings)
		check.run(c, ctx)
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

func (c *checkup) add(l Level, do advice, format string, args ...any) {
	c.findings = append(c.findings, Finding{c.name, l, fmt.Sprintf(format, args...), do.String(), do.run})
}

func (c *checkup) pass(format string, args ...any)            { c.add(Pass, advice{}, format, args...) }
func (c *checkup) warn(do advice, format string, args ...any) { c.add(Warn, do, format, args...) }
func (c *checkup) fail(do advice, format string, args ...any) { c.add(Fail, do, format, args...) }
