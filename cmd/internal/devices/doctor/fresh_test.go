package doctor_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

// Nothing fails on a device that is set up as the guide says, at any point on the way,
// nor below --root, where a service of this host has nothing to say.
func TestADeviceThatIsSetUpIsNeverCalledIll(t *testing.T) {
	t.Parallel()
	d := devicetest.ByHand(t)
	require.NoError(t, os.RemoveAll(d.Disk("/opt/tope/versions/v1.0.0")))
	pkg := d.Give(devicetest.Deb(t, "tope-updater", "", builttest.Version))
	d.Boot()
	well := func(when string, args ...string) {
		t.Helper()
		out, err := d.Run(append([]string{"tope-updater", "doctor"}, args...)...)
		require.NoError(t, err, "%s: %s", when, out)
	}
	d.MustRun("dpkg", "-i", pkg)
	well("the package is installed")
	d.MustRun("systemctl", "enable", "--quiet", devicetest.DeviceAPI, devicetest.WebServer)
	_, _ = d.Run("systemctl", "start", devicetest.DeviceAPI, devicetest.WebServer) // as a boot does; there is no program yet
	well("the services are enabled")
	first := d.Offer(fixtures.Release{Version: "1.0.0"})
	d.MustRun("tope-updater", "install", "--check", first)
	well("the first release was checked")
	d.MustRun("tope-updater", "install", first)
	well("the first release is installed")
	d.MustRun(scripts + "setup_symlinks.sh")
	d.MustRun("tope-updater", "factory", "create")
	well("the device is ready")

	d.MustRun("sh", "-c", "mkdir -p '/root/a tree/var/lib' '/root/a tree/usr/lib' '/root/a tree/usr/local' && cd '/root/a tree' && cp -a /opt /etc . && cp -a /var/lib/tope-updater var/lib && cp -a /usr/lib/tope-updater usr/lib && cp -a /usr/local/bin usr/local")
	well("a copy of it, as a tree", "--root", "/root/a tree")
}
