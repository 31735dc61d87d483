package look_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
)

// A device's units and users, and a version that carries units of its own.
func usersOfData(t *testing.T, carried map[string]string) look.DataUsers {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644))
	}
	write("etc/passwd", "root:x:0:0::/:/bin/sh\ntope:x:1000:1001::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n")
	write("etc/group", "tope:x:1001:\nweb:x:34:\n")
	write("etc/systemd/system/device-api.service", "[Service]\nUser=tope\nExecStart=/usr/local/bin/device-api\n")
	write("etc/systemd/system/web-server.service", "[Service]\nUser=tope\n")
	write("etc/systemd/system/web-server.service.d/user.conf", "[Service]\nUser=web\n")
	write("etc/systemd/system/archiver.service", "[Service]\nUser=web\n# ReadWritePaths=/opt/tope/shared/plain\nReadWritePaths=/opt/tope/shared/data /opt/tope/services/device-api/spool\n")
	write("etc/systemd/system/dynamic.service", "[Service]\nDynamicUser=yes\nUser=nobody-knows\n")
	write("etc/systemd/system/rooted.service", "[Service]\nExecStart=/x\n")
	for name, text := range carried {
		write("version/systemd/"+name, text)
	}
	root, err := disk.NewRoot(dir)
	require.NoError(t, err)
	names := []string{"device-api.service", "web-server.service", "archiver.service", "dynamic.service", "rooted.service", "missing.service"}
	return look.DataUsers{
		Root: root, Units: look.UnitTexts(root, []string{"/etc/systemd/system"}, filepath.Join(dir, "version/systemd"), names...),
		Versions: "/opt/tope/versions", Shared: "/opt/tope/shared", Services: "/opt/tope/services",
	}
}

func TestWhoseAWritableDirectoryIs(t *testing.T) {
	carried := map[string]string{
		"device-api.service": "[Service]\nUser=web\n", // the version brings its own
		"new.service":        "[Service]\nUser=tope\nWorkingDirectory=/opt/tope/versions/current/work\n",
	}
	for dir, c := range map[string]struct{ before, after string }{
		"services/device-api/data":  {"tope", "web"},
		"services/web-server/log":   {"web", "web"},
		"services/device-api/spool": {"web", "web"}, // named by another, by its path in services
		"data/deep":                 {"", ""},
		"data":                      {"web", "web"},
		"database":                  {"", ""},
		"plain":                     {"", ""}, // in a comment
		"work":                      {"", "tope"},
		"services/new/data":         {"", "tope"},
		"services/dynamic/data":     {"", ""},
		"services/rooted/data":      {"", ""}, // root needs no owner
		"device-api/data":           {"tope", "web"},
	} {
		for text, d := range map[string]look.DataUsers{c.before: usersOfData(t, nil), c.after: usersOfData(t, carried)} {
			u, gid, ok := d.Owner(dir)
			require.Equal(t, text != "", ok, dir)
			if ok {
				require.Equal(t, text, u.Name, dir)
				require.Equal(t, map[string]uint32{"tope": 1001, "web": 34}[text], gid, dir)
			}
			if c.before == c.after {
				break
			}
		}
	}
}

// Two services that run as different users and name the same directory: it stays root's.
func TestADirectoryOfTwoUsers(t *testing.T) {
	d := usersOfData(t, map[string]string{"new.service": "[Service]\nUser=tope\nReadWritePaths=/opt/tope/shared/data\n"})
	require.Len(t, d.Of("data"), 2)
	_, _, ok := d.Owner("data")
	require.False(t, ok)
}

func TestMayWrite(t *testing.T) {
	tope := look.User{Name: "tope", UID: 1000, GIDs: []uint32{1001, 50}}
	for _, c := range []struct {
		owner look.Owner
		may   bool
	}{
		{look.Owner{Mode: 0o755}, false},
		{look.Owner{UID: 1000, Mode: 0o755}, true},
		{look.Owner{UID: 1000, Mode: 0o577}, false},
		{look.Owner{GID: 50, Mode: 0o775}, true},
		{look.Owner{GID: 51, Mode: 0o775}, false},
		{look.Owner{Mode: 0o777}, true},
	} {
		require.Equal(t, c.may, c.owner.MayWrite(tope), "%+v", c.owner)
		require.True(t, c.owner.MayWrite(look.User{}))
	}
}
