package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
)

// examined is what the doctor says of a device with this configuration.
func examined(t *testing.T, root, configuration string) []finding {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o644))
	a := &app{configFile: file, root: root, term: &terminal{out: new(bytes.Buffer), err: new(bytes.Buffer)}}
	d, err := a.device()
	require.NoError(t, err)
	return d.examine(t.Context())
}

func requireFinding(t *testing.T, all []finding, check string, l level, text string) finding {
	t.Helper()
	i := slices.IndexFunc(all, func(f finding) bool {
		return f.Check == check && f.Level == l && bytes.Contains([]byte(f.Text), []byte(text))
	})
	require.GreaterOrEqual(t, i, 0, "no %s of %s says %q: %+v", l, check, text, all)
	require.True(t, l == pass || all[i].Do != "", "nothing is said of what to do about %q", text)
	return all[i]
}

const nobodysServices = "[services]\nmanager = \"none\"\n[http]\nlisten = %q\n[device_api]\nurl = %q\n"

// mounted is a device on an ext4 file system of its own.
func mounted(t *testing.T, feature, options string) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 32<<20))
	for _, command := range [][]string{
		{"mkfs.ext4", "-q", "-O", feature, image},
		{"mount", "-o", "loop," + options, image, dir},
	} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	for _, path := range []string{"opt/tope/versions", "var/lib/tope-updater", "usr/local/bin"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, path), 0o755))
	}
	return dir
}

func TestDoctorKnowsHazardousMounts(t *testing.T) {
	roottest.Need(t, "a loop device")
	quiet := fmt.Sprintf(nobodysServices, "", "")
	good := examined(t, mounted(t, "^fast_commit", "rw"), quiet)
	requireFinding(t, good, "filesystems", pass, "/opt/tope/versions is on ext4")
	for _, f := range good {
		require.False(t, f.Check == "filesystems" && f.Level != pass, f)
	}
	bad := examined(t, mounted(t, "^fast_commit", "barrier=0,data=writeback,noexec"), quiet)
	requireFinding(t, bad, "filesystems", fail, "without write barriers")
	requireFinding(t, bad, "filesystems", warn, "data=writeback")
	requireFinding(t, bad, "filesystems", fail, "noexec")
	dir := mounted(t, "^fast_commit", "rw")
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	requireFinding(t, examined(t, dir, quiet), "filesystems", fail, "read-only")
}

// The kernel here may be a new one: what an old one would be told is asked directly.
func TestKernelsAreComparedByNumber(t *testing.T) {
	for release, want := range map[string][2]int{
		"6.1.0-18-arm64": {6, 1}, "5.10.110-rockchip": {5, 10}, "6.18.44-x": {6, 18}, "6.2-rc1": {6, 2},
	} {
		v, ok := kernelVersion(release)
		require.True(t, ok, release)
		require.Equal(t, want, v, release)
	}
	_, ok := kernelVersion("unknown")
	require.False(t, ok)
}

func TestDoctorTellsWhoHoldsThePorts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"service":"other"}`)
	}))
	defer server.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := server.Listener.Addr().String()
	found := examined(t, t.TempDir(), fmt.Sprintf(nobodysServices, address, server.URL))
	f := requireFinding(t, found, "http api", fail, "is not the updater but")
	require.Contains(t, f.Text, fmt.Sprintf("(process %d)", os.Getpid()))
	requireFinding(t, found, "device-api", pass, server.URL)
	require.NoError(t, mute.Close())
	found = examined(t, t.TempDir(), fmt.Sprintf(nobodysServices, mute.Addr(), "http://"+mute.Addr().String()))
	requireFinding(t, found, "http api", warn, "nobody listens on "+mute.Addr().String())
	requireFinding(t, found, "device-api", warn, "does not answer")
}

func TestDoctorReadsWhereTheLogIsKept(t *testing.T) {
	root := t.TempDir()
	file := func(path, content string) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	const systemds = "[http]\nlisten = \"\"\n[device_api]\nurl = \"\"\n"
	requireFinding(t, examined(t, root, systemds), "log", warn, "does not outlive a boot")
	file("/var/log/journal/x", "")
	requireFinding(t, examined(t, root, systemds), "log", warn, "a tenth of its file system")
	file("/usr/lib/systemd/journald.conf.d/size.conf", "[Journal]\nSystemMaxUse=1G\n")
	requireFinding(t, examined(t, root, systemds), "log", pass, "at most 1G")
	file("/etc/systemd/journald.conf.d/size.conf", "[Journal]\n#Storage=none\nSystemMaxUse=50M\n") // hides the one in /usr
	requireFinding(t, examined(t, root, systemds), "log", pass, "at most 50M")
	file("/etc/systemd/journald.conf", "[Journal]\nStorage=volatile\n")
	requireFinding(t, examined(t, root, systemds), "log", warn, "does not outlive a boot")
}
