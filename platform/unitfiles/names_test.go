package unitfiles

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func (d *device) link(at, target string) {
	d.t.Helper()
	at = filepath.Join(d.root, at)
	require.NoError(d.t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(d.t, os.Symlink(target, at))
}

// Names that the system or an operator has are taken, in whatever directory systemd looks
// for them, and also for an instance of their template. What the device lists by its name
// and what came with an earlier version is not.
func TestTakenNames(t *testing.T) {
	d := newDevice(t, "device-api.service")
	d.cfg.Allow = []string{"*", "cron.service"}
	d.write("usr/lib/systemd/system/ssh.service", "")
	d.write("usr/lib/systemd/system/cron.service", "")
	d.write("usr/lib/systemd/system/device-api.service", "")
	d.write("usr/lib/systemd/system/getty@.service", "")
	d.write("usr/local/lib/systemd/system/local.service", "")
	d.write("run/systemd/transient/run-1.service", "")
	d.write("run/systemd/generator.late/sysv.service", "")
	d.write(etc+"/theirs.service", "[Service]\n")
	d.write(etc+"/ours.service", header+"[Service]\n")
	d.link(etc+"/sshd.service", "/usr/lib/systemd/system/ssh.service")
	d.link(etc+"/gone.service", "/nowhere.service")
	d.link(etc+"/masked.service", "/dev/null")
	for name, at := range map[string]string{
		"ssh.service": "/usr/lib/systemd/system/ssh.service", "getty@tty9.service": "/usr/lib/systemd/system/getty@.service",
		"getty@.service": "/usr/lib/systemd/system/getty@.service", "local.service": "/usr/local/lib/systemd/system/local.service",
		"run-1.service": "/run/systemd/transient/run-1.service", "sysv.service": "/run/systemd/generator.late/sysv.service",
		"theirs.service": etc + "/theirs.service", "sshd.service": etc + "/sshd.service", "gone.service": etc + "/gone.service",
		"cron.service": "", "device-api.service": "", "ours.service": "", "masked.service": "", "free.service": "", "free@1.service": "",
	} {
		got, err := d.Taken(name)
		require.NoError(t, err)
		require.Equal(t, at, got, name)
	}

	d.carry("1.0.0", "ssh.service", "theirs.service", "ours.service", "free.service")
	all, err := d.Collisions("1.0.0")
	require.NoError(t, err)
	require.Equal(t, []Left{{"ssh.service", "/usr/lib/systemd/system/ssh.service"}, {"theirs.service", etc + "/theirs.service"}}, all)
}

func TestWhichNamesAReleaseMayBring(t *testing.T) {
	for name, c := range map[string]struct {
		allow []string
		unit  string
		says  string
	}{
		"any":                          {nil, "a.service", ""},
		"any by its pattern":           {[]string{"*"}, "a.service", ""},
		"none":                         {[]string{}, "a.service", "the configuration does not list it"},
		"a pattern":                    {[]string{"tope-*.service"}, "tope-a.service", ""},
		"another":                      {[]string{"tope-*.service"}, "tope-a.timer", "the configuration does not list it"},
		"a configured service":         {[]string{}, "device-api.service", ""},
		"its own from before":          {[]string{}, "ours.service", ""},
		"an alias":                     {[]string{"*"}, "default.target", "a meaning of its own"},
		"an alias that is listed":      {[]string{"*", "syslog.service"}, "syslog.service", ""},
		"the system's":                 {[]string{"*"}, "ssh.service", "the system has one of this name"},
		"the system's, listed":         {[]string{"ssh.service"}, "ssh.service", ""},
		"the updater's, though listed": {[]string{"tope-updater.service"}, "tope-updater.service", "not for releases"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, "device-api.service")
			d.cfg.Allow = c.allow
			d.write("usr/lib/systemd/system/ssh.service", "")
			d.write(etc+"/ours.service", header)
			err := d.Allows([]File{{"bin/x", true, 1, false}, {"systemd/" + c.unit, true, 1, false}})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, c.unit)
		})
	}
}

func TestPatterns(t *testing.T) {
	for _, good := range []string{"*", "tope-*", "a.service", "a@.service", "[ab].timer", "*.service", "edge-*ice", "edge-*?"} {
		require.NoError(t, ValidPattern(good), good)
	}
	for _, bad := range []string{"", "a", "a.mount", "[a", "../a.service", "tope-updater.service", "*.foo", "*.mount", "edge-*.servce", "a?.slice", "*.service.d"} {
		require.Error(t, ValidPattern(bad), bad)
	}
}
