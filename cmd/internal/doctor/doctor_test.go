package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/doctor"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/bystander"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/trust"
	"github.com/tope/updater/steps/stepstest"
)

const (
	pass = doctor.Pass
	warn = doctor.Warn
	fail = doctor.Fail
)

// device is a device below root with this configuration, on which nobody runs the services.
func device(t *testing.T, root, configuration string) doctor.Device {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o644))
	cfg, err := config.Load(file)
	require.NoError(t, err)
	r, err := disk.NewRoot(root)
	require.NoError(t, err)
	c := clock.System()
	return doctor.Device{
		Config: cfg, ConfigFile: file, Root: r, Clock: c,
		Trust: trust.Policy{Root: r, Directory: cfg.Paths.Keys, Now: c.Now, RequireSignature: cfg.Trust.RequireSignature, AllowUnsigned: cfg.Trust.AllowUnsigned},
		Versions: func() (*versions.Store, error) {
			return versions.Open(versions.Config{Root: r, Versions: cfg.Paths.Versions, Services: cfg.Paths.Services, Bin: cfg.Paths.Bin, Shared: cfg.Paths.Shared})
		},
		Manager: func() (service.Manager, error) { return bystander.Manager{}, nil },
		Journal: func() (*journal.Reader, error) {
			return journal.OpenReader(filepath.Join(r.Dir(), cfg.Paths.Journal()), journal.Options{Clock: c})
		},
	}
}

// examined is what the doctor finds on such a device.
func examined(t *testing.T, root, configuration string) []doctor.Finding {
	t.Helper()
	return doctor.Examine(t.Context(), device(t, root, configuration))
}

func requireFinding(t *testing.T, all []doctor.Finding, check string, l doctor.Level, text string) doctor.Finding {
	t.Helper()
	i := slices.IndexFunc(all, func(f doctor.Finding) bool {
		return f.Check == check && f.Level == l && strings.Contains(f.Text, text)
	})
	require.GreaterOrEqual(t, i, 0, "no %s of %s says %q: %+v", l, check, text, all)
	require.True(t, l == pass || all[i].Do != "", "nothing is said of what to do about %q", text)
	return all[i]
}

// quiet has nothing to connect to.
const quiet = "[services]\nmanager = \"none\"\n[http]\nlisten = \"\"\n[device_api]\nurl = \"\"\n"

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
	good := examined(t, mounted(t, "^fast_commit", "rw"), quiet)
	requireFinding(t, good, "filesystems", pass, "/opt/tope/versions is on ext4")
	for _, f := range good {
		require.False(t, f.Check == "filesystems" && f.Level != pass, f)
	}
	bad := examined(t, mounted(t, "^fast_commit", "barrier=0,data=writeback,noexec"), quiet)
	requireFinding(t, bad, "filesystems", warn, "without write barriers")
	requireFinding(t, bad, "filesystems", warn, "data=writeback")
	requireFinding(t, bad, "filesystems", fail, "noexec")
	dir := mounted(t, "^fast_commit", "rw")
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	requireFinding(t, examined(t, dir, quiet), "filesystems", fail, "read-only")
}

// An overlay is as good as what its upper layer is on; state in memory is told as what
// it means.
func TestDoctorKnowsOverlaysAndMemory(t *testing.T) {
	over := disktest.New(t, disktest.Overlay, filepath.Join(t.TempDir(), "mnt"), 0).Dir
	require.NoError(t, os.MkdirAll(filepath.Join(over, "opt/tope/versions"), 0o755))
	requireFinding(t, examined(t, over, quiet), "filesystems", pass, "its upper layer on ext4")

	dir, layers := t.TempDir(), t.TempDir()
	mount := func(at, kind, options string) {
		require.NoError(t, os.MkdirAll(at, 0o755))
		require.NoError(t, unix.Mount(kind, at, kind, 0, options))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) })
	}
	mount(layers, "tmpfs", "")
	for _, name := range []string{"lower", "upper", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(layers, name), 0o755))
	}
	at := func(name string) string { return filepath.Join(layers, name) }
	mount(filepath.Join(dir, "opt/tope/versions"), "overlay", "volatile,lowerdir="+at("lower")+",upperdir="+at("upper")+",workdir="+at("work"))
	mount(filepath.Join(dir, "var/lib/tope-updater"), "tmpfs", "")
	found := examined(t, dir, quiet)
	requireFinding(t, found, "filesystems", warn, "whose upper layer is on tmpfs")
	requireFinding(t, found, "filesystems", warn, "mounted volatile")
	requireFinding(t, found, "filesystems", warn, "each boot begins without a journal")
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
	units := func() (service.Manager, error) {
		return &servicetest.UnitFake{Fake: servicetest.NewFake(clock.System())}, nil
	}
	log := func() []doctor.Finding {
		d := device(t, root, quiet)
		d.Manager = units
		return doctor.Examine(t.Context(), d)
	}
	requireFinding(t, examined(t, root, quiet), "log", pass, "not checked")
	requireFinding(t, log(), "log", warn, "does not outlive a boot")
	file("/var/log/journal/x", "")
	requireFinding(t, log(), "log", warn, "a tenth of its file system")
	file("/usr/lib/systemd/journald.conf.d/size.conf", "[Journal]\nSystemMaxUse=1G\n")
	requireFinding(t, log(), "log", pass, "at most 1G")
	file("/etc/systemd/journald.conf.d/size.conf", "[Journal]\n#Storage=none\nSystemMaxUse=50M\n") // hides the one in /usr
	requireFinding(t, log(), "log", pass, "at most 50M")
	file("/etc/systemd/journald.conf", "[Journal]\nStorage=volatile\n")
	requireFinding(t, log(), "log", warn, "does not outlive a boot")
}

// The cost of snapshots is told once a version asks for one.
func TestDoctorTellsWhatSnapshotsCost(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	text := func() string { return fmt.Sprint(examined(t, d.Root, quiet)) }
	require.NotContains(t, text(), "reflink")
	stepstest.Publish(t, d.Store, "2.0.0", map[string]string{"bin/x": "#!/bin/sh\n"},
		versions.Brought{Writable: []versions.Writable{{Path: "data", Snapshot: true}}})
	require.Contains(t, text(), "snapshots for version 2.0.0")
	require.Contains(t, text(), "reflink")
}

// A missing versions directory is reported, and not made.
func TestDoctorMakesNothing(t *testing.T) {
	root := t.TempDir()
	found := examined(t, root, quiet)
	requireFinding(t, found, "versions", warn, "cannot look at the versions")
	requireFinding(t, found, "directories", warn, "/opt/tope/versions is missing")
	requireFinding(t, found, "journal", warn, "there is no journal")
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestDoctorKnowsStrangePointers(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	for name, target := range map[string]string{"current": "v7.7.7", "previous": "../elsewhere", ".uncommitted": "/tmp"} {
		path := filepath.Join(d.Dir(), name)
		require.NoError(t, disk.RemoveTree(path))
		require.NoError(t, os.Symlink(target, path))
	}
	require.NoError(t, disk.RemoveTree(filepath.Join(d.Dir(), "factory")))
	require.NoError(t, os.Mkdir(filepath.Join(d.Dir(), "factory"), 0o755))
	found := examined(t, d.Root, quiet)
	f := requireFinding(t, found, "pointers", fail, "current leads to 7.7.7, which is missing")
	require.Contains(t, f.Run, " recover --finish")
	requireFinding(t, found, "pointers", warn, `previous leads to "../elsewhere", which is not a version`)
	requireFinding(t, found, "pointers", warn, "factory: a file or directory")
	requireFinding(t, found, "pointers", warn, "is ignored")
}

func TestDoctorTellsWhomTheDeviceTrusts(t *testing.T) {
	root := t.TempDir()
	requireFinding(t, examined(t, root, quiet), "trust", warn, "ANYBODY")
	requireFinding(t, examined(t, root, quiet+"[trust]\nrequire_signature = true\n"), "trust", fail, "nobody")
	keys := filepath.Join(root, "etc/tope-updater/keys")
	require.NoError(t, os.MkdirAll(keys, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(keys, "a.pub"), []byte("garbage"), 0o600))
	requireFinding(t, examined(t, root, quiet), "trust", fail, "a.pub")
}
