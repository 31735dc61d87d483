package filesystems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/platform/disk/disktest"
)

// Versions that a device is delivered with besides 1.0.0, which runs: nobody needs
// either, and of the second another build is installed.
const (
	spare   = "0.9.0"
	rebuilt = "1.5.0"
)

// device is a device with the actions of its owner.
type device struct {
	*fixtures.Device
	*releases
	disks []*disktest.Disk
	over  []mount
	// forgets: the state does not survive a power cut; forgot: there was one.
	forgets, forgot bool
}

// mount is what a device mounts over its disks, at each boot.
type mount struct {
	at     string // below root
	source string // "tmpfs", or nothing for what is there, read-only
}

// newDevice makes the device that a row describes.
func newDevice(t *testing.T, r *releases, row row) *device {
	t.Helper()
	root := filepath.Join(t.TempDir(), "device")
	require.NoError(t, os.Mkdir(root, 0o755))
	d := &device{releases: r, disks: row.lay(t, root), over: append([]mount{{at: "run", source: "tmpfs"}}, row.over...), forgets: row.forgets}
	var err error
	d.Device, err = r.programs.Device(t.Context(), root, fixtures.Release{Version: "1.0.0"}, fixtures.Options{
		Stable: 20 * time.Millisecond,
		More:   "[device]\nproduct = \"" + product + "\"\n[trust]\nallow_unsigned = true\nfile_capabilities = true\n",
	})
	require.NoError(t, err)
	for _, version := range []string{spare, rebuilt} {
		require.NoError(t, r.programs.Install(t.Context(), d.Device, fixtures.Release{Version: version}))
	}
	if r.public != nil {
		plant(t, filepath.Join(root, "etc/tope-updater/keys/release.pub"), string(r.public), 0o644)
	}
	plant(t, d.shared(t, "db"), "first", 0o640)
	plant(t, d.shared(t, "deep/er/db"), "first", 0o600)
	for _, m := range d.over {
		require.NoError(t, os.MkdirAll(filepath.Join(root, m.at), 0o755))
	}
	for _, k := range d.disks {
		k.Settle(t)
	}
	d.mountOver(t)
	t.Cleanup(func() {
		require.NoError(t, d.Stop(context.Background()))
		d.unmountOver(t)
	})
	return d
}

func (d *device) mountOver(t *testing.T) {
	t.Helper()
	for _, m := range d.over {
		dir := filepath.Join(d.Root, m.at)
		if m.source != "" {
			require.NoError(t, unix.Mount(m.source, dir, m.source, 0, "mode=755"))
			continue
		}
		require.NoError(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
		require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	}
}

func (d *device) unmountOver(t *testing.T) {
	t.Helper()
	for _, m := range slices.Backward(d.over) {
		require.NoError(t, unix.Unmount(filepath.Join(d.Root, m.at), 0))
	}
}

// powerCut cuts the power of the device. Its processes are gone with it.
func (d *device) powerCut(t *testing.T) {
	t.Helper()
	require.NoError(t, d.Stop(t.Context()))
	d.unmountOver(t)
	disktest.PowerCut(t, d.disks...)
	d.mountOver(t)
	d.forgot = d.forgets
}

// boot does what a boot does: recover, and then the daemon, until it is at rest. The
// services go on without it.
func (d *device) boot(t *testing.T) {
	t.Helper()
	recovered := 0
	if d.forgot {
		recovered = 1 // it has no journal, and says so
	}
	d.must(t, recovered, "recover")
	daemon := d.command(t, "serve")
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	require.NoError(t, daemon.Start())
	api := client.Socket(filepath.Join(d.Root, "run/tope-updater/api.sock"))
	defer api.Close()
	require.Eventually(t, func() bool {
		st, err := api.Status(t.Context())
		return err == nil && st.State == engine.Idle
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, daemon.Process.Signal(unix.SIGTERM))
	require.NoError(t, daemon.Wait(), "%s", &log)
}

// shared is the host path of a file in the data.
func (d *device) shared(t *testing.T, name string) string {
	t.Helper()
	// /opt may be a link, to a path of the device.
	opt := filepath.Join(d.Root, "opt")
	if to, err := os.Readlink(opt); err == nil {
		opt = filepath.Join(d.Root, to)
	}
	return filepath.Join(opt, "tope/shared", data, name)
}

// ran is how the updater ended, and what it printed.
type ran struct {
	exit int
	text string
}

func (d *device) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), builttest.Updater(t, builttest.Version), append([]string{"--config", d.Config, "--root", d.Root}, args...)...)
}

func (d *device) run(t *testing.T, args ...string) ran {
	t.Helper()
	cmd := d.command(t, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var ended *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &ended) {
		require.NoError(t, err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String()}
}

// must runs the updater, which has to end with this exit code.
func (d *device) must(t *testing.T, exit int, args ...string) string {
	t.Helper()
	r := d.run(t, args...)
	require.Equal(t, exit, r.exit, "tope-updater %s\n%s", strings.Join(args, " "), r.text)
	return r.text
}

// runs demands that the device is at rest with one of these versions, and that nothing
// is left over.
func (d *device) runs(t *testing.T, any ...string) string {
	t.Helper()
	var st engine.Status
	require.NoError(t, json.Unmarshal([]byte(d.must(t, 0, "--json", "status")), &st))
	require.Equal(t, engine.Idle, st.State)
	require.Equal(t, d.forgot, st.Journal.Damaged)
	require.Contains(t, any, st.Pointers.Current)
	for _, pattern := range []string{filepath.Join(d.Store.Dir(), ".*"), d.shared(t, "../../../.*"), d.shared(t, ".*")} {
		left, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	return st.Pointers.Current
}

// holds demands that the data is what was written last by this writer.
func (d *device) holds(t *testing.T, writer string) {
	t.Helper()
	content, err := os.ReadFile(d.shared(t, "db"))
	require.NoError(t, err)
	require.Equal(t, writer, strings.TrimSpace(string(content)))
}
