//go:build linux && amd64

package trials_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps/bundle/bundletest"
)

func TestMain(m *testing.M) {
	trace.Stub()
	flag.Parse()
	// A trial waits for health gates most of its time.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// tried marks a test of this package: it is parallel and needs root.
func tried(t *testing.T) {
	t.Helper()
	roottest.Need(t, "small disks and machines that stand still")
	t.Parallel()
}

// updater is the program under trial.
func updater(t testing.TB) string {
	t.Helper()
	return builttest.Updater(t, builttest.Version)
}

// device is a device with the actions of its owner.
type device struct {
	*fixtures.Device
	t testing.TB
	// program is the updater, behind the program that runs it, if any.
	program []string
	// host is the address of its services.
	host   string
	daemon *exec.Cmd
	log    string
}

// newDevice is a device at root with version 1.0.0, its factory's too.
func newDevice(t testing.TB, root string, p fixtures.Programs, o fixtures.Options) *device {
	t.Helper()
	if o.Stable == 0 {
		o.Stable = 100 * time.Millisecond
	}
	d, err := p.Device(t.Context(), root, fixtures.Release{Version: "1.0.0"}, o)
	require.NoError(t, err)
	return own(t, d, "127.0.0.1")
}

// own ends the device's processes at the end of the test.
func own(t testing.TB, d *fixtures.Device, host string) *device {
	dev := &device{Device: d, t: t, program: []string{updater(t)}, host: host, log: filepath.Join(t.TempDir(), "daemon.log")}
	t.Cleanup(func() {
		dev.stopServing()
		require.NoError(t, dev.Stop(context.Background()))
	})
	return dev
}

func (d *device) command(args ...string) *exec.Cmd {
	args = slices.Concat(d.program, []string{"--config", d.Config, "--root", d.Root}, args)
	return exec.CommandContext(d.t.Context(), args[0], args[1:]...)
}

// ran is how a command ended.
type ran struct {
	args        []string
	exit        int
	out, errors string
}

func (r ran) String() string {
	return fmt.Sprintf("tope-updater %s: exit %d\n%s%s", strings.Join(r.args, " "), r.exit, r.out, r.errors)
}

// run runs a verb to its end.
func (d *device) run(args ...string) ran {
	d.t.Helper()
	cmd := d.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(d.t, err)
	}
	return ran{args, cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a verb that has to end with this exit code.
func (d *device) must(exit int, args ...string) ran {
	d.t.Helper()
	r := d.run(args...)
	require.Equal(d.t, exit, r.exit, "%s", r)
	return r
}

// asked is a verb's answer with --json.
func asked[T any](d *device, args ...string) T {
	d.t.Helper()
	var v T
	r := d.must(0, append([]string{"--json"}, args...)...)
	require.NoError(d.t, json.Unmarshal([]byte(r.out), &v), "%s", r)
	return v
}

func (d *device) status() engine.Status { d.t.Helper(); return asked[engine.Status](d, "status") }

// serve starts the daemon and waits until it has nothing more to do.
func (d *device) serve() {
	d.t.Helper()
	d.startServing()
	d.becomesIdle()
}

func (d *device) startServing() {
	d.t.Helper()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(d.t, err)
	defer log.Close()
	d.daemon = d.command("serve")
	d.daemon.Stdout, d.daemon.Stderr = log, log
	d.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(d.t, d.daemon.Start())
}

func (d *device) becomesIdle() {
	d.t.Helper()
	api := client.Socket(d.socket())
	defer api.Close()
	d.eventually("the daemon to become idle", func() bool {
		st, err := api.Status(d.t.Context())
		return err == nil && st.State == engine.Idle
	})
}

func (d *device) socket() string { return filepath.Join(d.Root, "run/tope-updater/api.sock") }

func (d *device) stopServing() {
	if d.daemon == nil {
		return
	}
	_ = d.daemon.Process.Signal(syscall.SIGTERM) // it may have gone
	_ = d.daemon.Wait()
	d.daemon = nil
}

// patience is for a busy machine; nothing here takes a tenth of it.
const patience = 30 * time.Second

func (d *device) eventually(what string, ready func() bool, is ...func() []string) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(d.log)
			for _, f := range is {
				what += fmt.Sprint("; it is ", f())
			}
			require.FailNow(d.t, "waited in vain for "+what, "%s", said)
		}
	}
}

func (d *device) journalPath() string {
	return filepath.Join(d.Root, "var/lib/tope-updater/journal.db")
}

// fold is the journal's newest state, read beside the process that writes it.
func (d *device) fold() *journal.Fold {
	d.t.Helper()
	r, err := journal.OpenReader(d.journalPath(), journal.Options{})
	require.NoError(d.t, err)
	return r.State()
}

// isWhole demands that current leads to one of these versions, and that it and
// every other version on the device is whole.
func (d *device) isWhole(allowed ...string) string {
	d.t.Helper()
	p, err := d.Store.Pointers()
	require.NoError(d.t, err)
	require.Contains(d.t, allowed, p.Current)
	list, err := d.Store.List()
	require.NoError(d.t, err)
	for _, info := range list {
		v, err := d.Store.Verify(d.t.Context(), info.Version)
		require.NoError(d.t, err)
		require.True(d.t, v.OK(), "version %s: %v", info.Version, v.Problems)
	}
	return p.Current
}

// isTidy demands that an update has left nothing behind. The daemon removes the
// leftovers of a cut after its start.
func (d *device) isTidy() {
	d.t.Helper()
	require.Empty(d.t, d.leftover())
	d.eventually("the device to be tidy", func() bool { return len(d.untidy()) == 0 }, d.untidy)
}

// untidy lists the files that nobody needs.
func (d *device) untidy() []string {
	var left []string
	for _, pattern := range []string{
		filepath.Join(d.Store.Dir(), ".*"), filepath.Join(filepath.Dir(d.journalPath()), "work/*"), disk.TempName(d.journalPath()),
	} {
		some, err := filepath.Glob(pattern)
		require.NoError(d.t, err)
		left = append(left, some...)
	}
	return left
}

// leftover lists the files that the newest update's clean-up could not remove.
func (d *device) leftover() string {
	d.t.Helper()
	r, err := journal.OpenReader(d.journalPath(), journal.Options{})
	require.NoError(d.t, err)
	recs, err := r.Records("")
	require.NoError(d.t, err)
	for _, rec := range slices.Backward(recs) {
		if rec.Closed {
			var ev struct{ Leftover string }
			require.NoError(d.t, json.Unmarshal(rec.Evidence, &ev))
			return ev.Leftover
		}
	}
	return ""
}

// runs demands that both services run from a version.
func (d *device) runs(version string) {
	d.t.Helper()
	for _, port := range []int{d.Ports.DeviceAPI, d.Ports.WebServer} {
		want, said := fmt.Sprintf("%q:%q", "version", version), ""
		d.eventually(fmt.Sprintf("port %d to answer from version %s", port, version), func() bool {
			said = d.about(port)
			return strings.Contains(said, want)
		})
	}
}

func (d *device) about(port int) string {
	c := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + d.host + ":" + strconv.Itoa(port) + "/health")
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body) // an answer cut short does not count
	return string(body)
}

// journalWorks demands that the journal is whole and can be listed.
func (d *device) journalWorks() {
	d.t.Helper()
	d.must(0, "journal", "list")
	d.must(0, "journal", "show", "--all")
	d.must(0, "journal", "verify")
}

// packageOf makes a release's package beside the device, not on its disk.
func packageOf(t testing.TB, p fixtures.Programs, r fixtures.Release) string {
	t.Helper()
	r.Pack = bundletest.Deflate
	made, err := p.Package(t.TempDir(), r)
	require.NoError(t, err)
	return made.Path
}
