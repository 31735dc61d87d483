package figures_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/bundletest"
)

// lab is what all figures share: the programs, a shop that serves packages on
// loopback, and a directory on a disk.
type lab struct {
	dir      string
	programs fixtures.Programs
	shop     string // URL
	packages map[string]fixtures.Package
	wires    wires
}

func newLab(b *testing.B) *lab {
	b.Helper()
	l := &lab{dir: b.TempDir(), packages: map[string]fixtures.Package{}}
	var fs unix.Statfs_t
	require.NoError(b, unix.Statfs(l.dir, &fs))
	require.NotEqual(b, int64(unix.TMPFS_MAGIC), fs.Type, "%s is memory: point TMPDIR to a directory on a disk", l.dir)
	l.build(b)
	l.programs = builttest.Services(b)
	shop := filepath.Join(l.dir, "shop")
	require.NoError(b, os.Mkdir(shop, 0o755))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := &http.Server{Handler: http.FileServer(http.Dir(shop)), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	b.Cleanup(func() { _ = server.Close() })
	l.shop = "http://" + listener.Addr().String()
	return l
}

// build makes the device program for all machines, exactly as it is shipped.
func (l *lab) build(b *testing.B) {
	b.Helper()
	cmd := exec.Command("make", "-C", "../../..", "build", "DIST="+l.dir, "VERSION=1.0.0")
	text, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", text)
}

// shipped is the device program for a machine, by Go's name of it.
func (l *lab) shipped(arch string) string { return filepath.Join(l.dir, "tope-updater-linux-"+arch) }

// offer puts a release into the shop, once.
func (l *lab) offer(b *testing.B, r fixtures.Release) steps.Source {
	b.Helper()
	p, there := l.packages[r.Version]
	if !there {
		var err error
		r.Pack = bundletest.Deflate
		p, err = l.programs.Package(filepath.Join(l.dir, "shop"), r)
		require.NoError(b, err)
		l.packages[r.Version] = p
	}
	return steps.Source{URL: source.New(l.shop + "/" + p.Name), Name: p.Name, Size: p.Size, MD5: p.MD5, Version: p.Version}
}

// device is a device with a daemon.
type device struct {
	*fixtures.Device
	l      *lab
	gone   bool
	daemon *exec.Cmd
	api    *client.Client
}

// boot makes a device with version 1.0.0 and starts its daemon.
func (l *lab) boot(b *testing.B, o fixtures.Options, r fixtures.Release) *device {
	b.Helper()
	root, err := os.MkdirTemp(l.dir, "device-")
	require.NoError(b, err)
	r.Version = "1.0.0"
	d := &device{l: l}
	d.Device, err = l.programs.Device(b.Context(), root, r, o)
	require.NoError(b, err)
	d.api = client.Socket(filepath.Join(d.Root, "run/tope-updater/api.sock"))
	b.Cleanup(func() {
		if !d.gone {
			_ = d.Stop(context.Background()) // after a failure, the services would go on
		}
	})
	// Writes left over from making the device must not disturb the measurement.
	require.NoError(b, disk.SyncFS(b.Context(), root))
	d.start(b)
	return d
}

// nobody is for figures that are not about services: nobody runs any.
func nobody() fixtures.Options { return fixtures.Options{Manager: "none", NoFactory: true} }

func (d *device) command(verb ...string) *exec.Cmd {
	return exec.Command(d.l.shipped(runtime.GOARCH), append([]string{"--config", d.Config, "--root", d.Root}, verb...)...)
}

func (d *device) start(b *testing.B) {
	b.Helper()
	log, err := os.Create(filepath.Join(d.Root, "daemon.log"))
	require.NoError(b, err)
	defer log.Close()
	d.daemon = d.command("serve")
	d.daemon.Stdout, d.daemon.Stderr = log, log
	// The daemon ends when the benchmark is killed.
	d.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(b, d.daemon.Start())
	require.Eventually(b, func() bool {
		_, err := d.api.Status(b.Context())
		return err == nil
	}, 20*time.Second, 5*time.Millisecond, "the daemon does not answer; see %s", log.Name())
}

// stop ends the daemon.
func (d *device) stop(b *testing.B) {
	b.Helper()
	require.NoError(b, d.daemon.Process.Signal(syscall.SIGTERM))
	require.NoError(b, d.daemon.Wait())
}

// scrap ends daemon and services, removes the device, and waits until the disk is idle.
func (d *device) scrap(b *testing.B) {
	b.Helper()
	d.stop(b)
	d.api.Close()
	require.NoError(b, d.Remove(b.Context()))
	d.gone = true
	require.NoError(b, disk.SyncFS(b.Context(), d.l.dir))
}

// install takes an update to a good end, waits until everything is cleaned up,
// and returns the update's records.
func (d *device) install(b *testing.B, src steps.Source) []journal.Record {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	id, err := d.api.Install(ctx, engine.InstallRequest{Source: src})
	require.NoError(b, err)
	var st httpapi.Status
	require.NoError(b, d.api.Watch(ctx, time.Second, func(s httpapi.Status) bool {
		st = s
		return s.Update != nil
	}))
	require.NotNil(b, st.Last)
	require.Equal(b, id, st.Last.ID)
	require.Equal(b, engine.Committed, st.Last.State, "%+v", st.Last.Error)
	recs, err := d.api.Records(ctx, id)
	require.NoError(b, err)
	return recs
}

// took is the time from an update's acceptance to the record that left a state.
func took(b *testing.B, recs []journal.Record, left engine.State) time.Duration {
	b.Helper()
	for _, r := range recs {
		if r.From == left && r.To != "" {
			return r.Mono - recs[0].Mono
		}
	}
	require.Fail(b, "no record leaves "+string(left))
	return 0
}

// highWater is the most memory a process has had resident.
func highWater(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(b, err)
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	require.True(b, ok)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return float64(kib) * 1024
}
