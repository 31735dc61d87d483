package origin_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// field are services as devices in the field have them: what keeps each unit from being
// "a program of the version, executed through current" is different.
var field = map[string]string{
	// An interpreter, with a word that is neither an option nor a file.
	"module": "WorkingDirectory=/opt/tope/services/field\nExecStart=/usr/bin/perl -e 'sleep 1 while 1' http.server",
	// A script of the version that ends as a program of the system.
	"launcher": "ExecStart=/opt/tope/versions/current/bin/start.sh",
	"shell":    "ExecStart=/bin/sh -c '/opt/tope/versions/current/bin/napper 100000 2>&1'",
	"option":   "ExecStart=/usr/bin/perl -I/opt/tope/versions/current/services/field -e 'sleep 1 while 1'",
	"env":      "ExecStart=/usr/bin/env perl /opt/tope/versions/current/services/field/run.pl",
	"once":     "Type=oneshot\nRemainAfterExit=yes\nExecStart=/opt/tope/versions/current/bin/once.sh",
	"dynamic": "DynamicUser=yes\nStateDirectory=dynamic\nWorkingDirectory=/var/lib/dynamic\nEnvironmentFile=-/etc/none\n" +
		"ExecStartPre=-/nonexistent\nExecStartPre=+/usr/bin/mkdir -p /run/of-dynamic\nExecStartPre=!/usr/bin/true\nExecStart=/usr/local/bin/napper 100000",
	"many@one": "User=tope\nExecStart=/opt/tope/versions/current/bin/%i.sh",
	"asked":    "ExecStart=/usr/local/bin/napper 100000",
	"job":      "Type=oneshot\nExecStart=/opt/tope/versions/current/bin/job.sh",
	"search":   "ExecSearchPath=/opt/tope/versions/current/bin\nExecStart=napper 100000",
	"interp":   "ExecStart=/usr/local/bin/interp",
}

// No release that fits is refused for how a service is written, on any way.
func TestServicesAsTheyAreInTheField(t *testing.T) {
	t.Parallel()
	config := ""
	for name := range field {
		config += "\n[[service]]\nname = \"" + name + "\"\n[[service.health]]\nkind = \"active\"\nstable = \"300ms\"\ntimeout = \"4s\"\n"
	}
	files := map[string][]byte{
		"bin/start.sh": []byte("#!/bin/sh\nexec /usr/bin/sleep 100000\n"), "services/field/run.pl": []byte(loop),
		"bin/once.sh": []byte("#!/bin/sh\n"), "bin/one.sh": []byte("#!/bin/sh\nwhile :; do /usr/bin/sleep 1; done\n"),
		"bin/job.sh": []byte("#!/bin/sh\nexit 1\n"), "bin/napper": []byte("#!/bin/sh\nwhile :; do /usr/bin/sleep 1000; done\n"), "bin/interp": []byte("#!/bin/sh\nexec sleep 100000\n"),
	}
	d := devicetest.New(t, devicetest.Options{Config: config, Release: fixtures.Release{Version: "1.0.0", Files: files}})
	// The next release brings the interpreter of one of its programs.
	next := maps.Clone(files)
	next["bin/shell"] = []byte("#!/bin/sh\nexec /bin/sh \"$@\"\n")
	next["bin/interp"] = []byte("#!/opt/tope/versions/current/bin/shell\nexec sleep 100000\n")
	for name, text := range field {
		unit := name + ".service"
		base, _, instance := strings.Cut(name, "@")
		if instance {
			unit = base + "@.service"
		}
		d.Write("/etc/systemd/system/"+unit, "[Service]\n"+text+"\n[Install]\nWantedBy=multi-user.target\n", 0o644)
		switch name {
		case "asked", "job":
		case "many@one":
			require.NoError(t, os.Symlink("/etc/systemd/system/many@.service", d.Disk("/etc/systemd/system/multi-user.target.wants/many@one.service")))
		default:
			d.Enable(unit, "multi-user.target")
		}
	}
	d.Write("/etc/systemd/system/asked.socket", "[Socket]\nListenStream=/run/asked\n[Install]\nWantedBy=sockets.target\n", 0o644)
	d.Enable("asked.socket", "sockets.target")
	// The last run of a timer's job failed; the next release has it repaired.
	next["bin/job.sh"] = []byte("#!/bin/sh\n")
	d.Write("/etc/systemd/system/job.timer", "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n", 0o644)
	d.Enable("job.timer", "timers.target")
	d.Up()
	require.Empty(t, d.Failed())
	_, err := d.Run("systemctl", "start", "job")
	require.Error(t, err)
	well := func(version string) {
		t.Helper()
		said := d.MustRun("sh", "-c", devicetest.Updater+" doctor || true")
		for name := range field {
			require.NotContains(t, said, name+" would not start again")
			require.NotContains(t, said, name+" runs outside")
			require.Contains(t, []string{version}, strings.Join(runs(t, d, name).Versions, " "), "%s: %+v", name, runs(t, d, name))
		}
		require.NotContains(t, said, "nothing that it runs is in a version", said)
	}
	well("1.0.0")
	said, err := d.Run(devicetest.Updater, "install", "--check", d.Offer(fixtures.Release{Version: "1.1.0", Files: next}))
	require.NoError(t, err, said)
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0", Files: next}))
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	well("1.1.0")
	said, err = d.Run(devicetest.Updater, "rollback")
	require.NoError(t, err, said)
	well("1.0.0")
}
