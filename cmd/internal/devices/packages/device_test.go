package packages_test

import (
	"strings"
	"testing"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

const (
	daemon    = devicetest.Daemon
	recovery  = devicetest.Recover
	committed = devicetest.Updater
	scripts   = "/usr/share/tope-updater/"
)

// Versions of the updater itself, not of the device's software.
const (
	older = "v1.0.0"
	newer = "v1.1.0"
)

// deb is the updater's package in a version.
func deb(t *testing.T, version string) string {
	t.Helper()
	return devicetest.Deb(t, "tope-updater", "", version)
}

// device is a device on which somebody has put its software by hand.
type device struct {
	*devicetest.Device
	t *testing.T
}

func newDevice(t *testing.T) *device {
	t.Helper()
	return &device{devicetest.ByHand(t), t}
}

// program is the version of the committed updater.
func (d *device) program() string {
	d.t.Helper()
	first, _, _ := strings.Cut(d.MustRun(committed, "version"), "\n")
	return strings.TrimPrefix(first, "tope-updater ")
}

// software lists everything of the device's software: names, modes, sizes, targets, digests.
func (d *device) software() string {
	d.t.Helper()
	return d.MustRun("sh", "-c", `find /opt/tope /usr/local/bin -printf '%p %y %m %s %l %u\n' | grep -v '^/usr/local/bin d' | sort; find /opt/tope -type f | sort | xargs sha256sum`)
}

// enabled lists which of the updater's units are started at boot.
func (d *device) enabled() string {
	d.t.Helper()
	out := d.MustRun("sh", "-c", "cd /etc/systemd/system && find . -path './*.wants/tope-updater*' -printf '%P\\n' | sort")
	return strings.Join(strings.Fields(out), " ")
}
