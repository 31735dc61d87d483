package preflight_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

// A release names services that the configuration does not have. Whether they may follow
// it is judged by what real units and processes show.
func TestAReleaseNamesServicesOfTheDevice(t *testing.T) {
	d := newDevice(t)
	names := []string{"wrapped", "bare", "shell"}
	for unit, command := range map[string]string{
		"/etc/systemd/system/wrapped.service":   "/usr/bin/env forker",
		"/usr/lib/systemd/system/bare.service":  "forker",
		"/usr/lib/systemd/system/shell.service": "/bin/sh -c forker", // only its processes show it
	} {
		d.Write(unit, "[Service]\nType=forking\nGuessMainPID=no\nExecStart="+command+"\n", 0o644)
	}
	d.Write("/usr/lib/systemd/system/other.service", "[Service]\nExecStart=/bin/sleep infinity\n", 0o644)
	d.MustRun("systemctl", "daemon-reload")
	d.MustRun(append([]string{"systemctl", "start", "other"}, names...)...)

	d.refused(t, d.release(func(r *fixtures.Release) { r.Names = append([]string{"other"}, names...) }),
		"names the service other, and nothing that /usr/lib/systemd/system/other.service runs is of the versions")

	r := d.release(func(r *fixtures.Release) { r.Names = names })
	d.Begin(d.Offer(r))
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Whole(r.Version)
}
