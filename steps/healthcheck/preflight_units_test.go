package healthcheck_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

const bringsSSH = `version 1.1.0 brings a unit ssh.service, and this device has one of its own, `

// A release that brings a unit of the system's or of an operator's name is refused before
// anything is touched; all such units are told.
func TestAPreflightRefusesTakenUnits(t *testing.T) {
	scenery := func(t *testing.T, allow ...string) *scene {
		s := newScene(t, map[string]string{
			"bin/device-api": "#!/bin/sh\n", "systemd/ssh.service": "[Service]\nExecStart=/usr/bin/python3\n",
			"systemd/cron.service": "[Service]\nExecStart=/usr/bin/python3\n", "systemd/free.service": "[Service]\nExecStart=/usr/bin/python3\n",
		}, versions.Brought{})
		s.task.Facts.Verify = &steps.Verified{SignedBy: "1AB"}
		s.file(t, "/etc/systemd/system/ssh.service", "[Service]\n", 0o644)
		s.file(t, "/usr/lib/systemd/system/cron.service", "[Service]\n", 0o644)
		units := unitfiles.New(unitfiles.Config{Root: s.cfg.Site.Root, Tree: s.d.Store.Path, Allow: allow})
		s.cfg.Units, s.cfg.Site.UnitFiles = units, units
		s.main(service.Launch{}, "/usr/local/bin/device-api")
		return s
	}
	found := scenery(t).asks(t)
	require.Len(t, matching(found, "brings a unit"), 2)
	require.Len(t, matching(found, "!.*"+bringsSSH+"/etc/systemd/system/ssh.service"), 1)
	require.Len(t, matching(found, "!.*brings a unit cron.service.*/usr/lib/systemd/system/cron.service"), 1)

	require.Empty(t, matching(scenery(t, "*", "ssh.service", "cron.service").asks(t), "brings a unit"), "the device lists them")

	// The version is on the device already: to go back to it is not refused.
	s := scenery(t)
	s.task.Facts.Verify = nil
	found = s.asks(t)
	require.Len(t, matching(found, "brings a unit"), 2)
	require.Empty(t, matching(found, "^!.*brings a unit"))
}

// matching are the findings that match an expression.
func matching(found []string, expression string) (all []string) {
	for _, f := range found {
		if regexp.MustCompile(expression).MatchString(f) {
			all = append(all, f)
		}
	}
	return all
}
