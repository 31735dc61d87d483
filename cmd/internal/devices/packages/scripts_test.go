package packages_test

import (
	"strings"

	"github.com/stretchr/testify/require"
)

// setUp follows the guide, and runs each script twice.
func (d *device) setUp() {
	d.t.Helper()
	// The programs that were there before are in the way of the links.
	d.Write("/usr/local/bin/device-api", "precious", 0o755)
	out, err := d.Run(scripts + "setup_symlinks.sh")
	require.Error(d.t, err)
	require.Contains(d.t, out, "--adopt")
	require.Equal(d.t, "precious", d.Read("/usr/local/bin/device-api"))

	d.MustRun(scripts+"setup_symlinks.sh", "--adopt")
	require.Equal(d.t, "precious", d.Read("/usr/local/bin/device-api.before-tope"))
	d.MustRun("rm", "/usr/local/bin/device-api.before-tope")
	software := d.software()
	for _, pointer := range []string{"current", "previous"} {
		require.Equal(d.t, "v1.0.0\n", d.MustRun("readlink", "/opt/tope/versions/"+pointer))
	}
	out = d.MustRun(scripts + "setup_symlinks.sh")
	require.Contains(d.t, out, "all links are as they should be")
	require.Contains(d.t, out, "all unit files are as they should be")
	require.Equal(d.t, software, d.software())
	d.MustRun("systemctl", "enable", "--now", "--quiet", "device-api.service", "web-server.service")

	d.MustRun(scripts + "create_factory_version.sh")
	software = d.software()
	d.MustRun(scripts + "create_factory_version.sh")
	require.Equal(d.t, software, d.software())
	require.Empty(d.t, d.MustRun("find", "/opt/tope/versions/v1.0.0", "-perm", "/222", "!", "-type", "l"))
	d.MustRun("test", "-x", "/opt/tope/versions/factory/bin/device-api")

	out = d.MustRun(scripts + "verify_setup.sh")
	require.NotContains(d.t, out, "fail ")
}

// switches to the other version and back, while a reader uses current.
func (d *device) switches() {
	d.t.Helper()
	out := d.MustRun(scripts + "test_symlink_switch.sh")
	require.Contains(d.t, out, "missing 0 times, leading nowhere 0 times")
	require.Contains(d.t, out, "current leads to 1.1.0 again")
	require.Equal(d.t, 2, strings.Count(out, "switched to "))
	d.t.Log(out)
	out, err := d.Run(scripts+"create_factory_version.sh", "1.1.0")
	require.Error(d.t, err)
	require.Contains(d.t, out, "--replace")
	require.Equal(d.t, "v1.0.0\n", d.MustRun("readlink", "/opt/tope/versions/factory"))
	d.MustRun(scripts+"create_factory_version.sh", "--replace", "1.1.0")
	d.MustRun(scripts+"create_factory_version.sh", "--replace", "1.0.0")
}
