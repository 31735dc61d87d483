package older_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// revision is of an updater that knew nothing of self-updates.
const revision = "dc0f8878cc9697a3f6b8fe5cd9eb2de0a76e5951"

// build is the updater in a source tree.
func build(t *testing.T, tree, out string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", out, "./cmd/tope-updater")
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return out
}

// archive is the tree of the revision. It needs the whole history (CI has it).
func archive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", "git archive --output="+dir+"/tree.tar "+revision+" && mkdir "+dir+"/tree && tar -xf "+dir+"/tree.tar -C "+dir+"/tree")
	cmd.Dir = top
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return dir + "/tree"
}

const top = "../../.."

type device struct {
	t *testing.T
	*fixtures.Device
}

// run is a verb of one of the updaters.
func (d device) run(program string, verb ...string) string {
	d.t.Helper()
	out, err := exec.CommandContext(d.t.Context(), program, append([]string{"--root", d.Root, "--config", d.Config}, verb...)...).CombinedOutput()
	require.NoError(d.t, err, "%s %v: %s", program, verb, out)
	return string(out)
}

// serve is a daemon with somebody to notify, until the function returned.
func (d device) serve(program string) (pid int, stop func()) {
	d.t.Helper()
	socket := filepath.Join(d.t.TempDir(), "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(d.t, err)
	go func() {
		// Somebody who does not listen would hold up whoever notifies.
		for b := make([]byte, 4096); ; {
			if _, err := heard.Read(b); err != nil {
				return
			}
		}
	}()
	cmd := exec.CommandContext(context.Background(), program, "--root", d.Root, "--config", d.Config, "serve")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	require.NoError(d.t, cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	d.t.Cleanup(func() { _ = cmd.Process.Kill() })
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		require.NoError(d.t, <-over)
		_ = heard.Close()
	}
	d.await("the daemon answers", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.Ports.Updater)) //nolint:noctx // it is this machine's
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return cmd.Process.Pid, stop
}

func (d device) await(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		require.True(d.t, time.Now().Before(end), what)
	}
}

func (d device) current(program string) string {
	d.t.Helper()
	var st struct{ Pointers struct{ Current string } }
	require.NoError(d.t, json.Unmarshal([]byte(d.run(program, "--json", "status")), &st))
	return st.Pointers.Current
}

func sum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// A device updates itself, is gone back with by an updater that knows nothing of
// that, and goes on with the newer one: each follows what the other journaled.
func TestAnOlderUpdaterFollowsTheJournal(t *testing.T) {
	old := build(t, archive(t), filepath.Join(t.TempDir(), "old"))
	programs, err := fixtures.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	made, err := programs.Device(t.Context(), filepath.Join(t.TempDir(), "root"), fixtures.Release{Version: "1.0.0"}, fixtures.Options{Manager: "none"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = made.Remove(context.Background()) })
	d := device{t, made}
	committed := filepath.Join(d.Root, "usr/lib/tope-updater/tope-updater")
	require.NoError(t, os.MkdirAll(filepath.Dir(committed), 0o755))
	build(t, top, committed)
	program, err := os.ReadFile(committed)
	require.NoError(t, err)
	release := func(version string) string {
		p, err := programs.Package(t.TempDir(), fixtures.Release{Version: version, Files: map[string][]byte{"bin/tope-updater": append(program[:len(program):len(program)], version...)}})
		require.NoError(t, err)
		return p.Path
	}

	pid, stop := d.serve(committed)
	d.run(committed, "install", release("1.1.0"))
	next := sum(t, filepath.Join(d.Root, "opt/tope/versions/v1.1.0/bin/tope-updater"))
	require.Equal(t, next, sum(t, committed))
	require.Equal(t, next, sum(t, fmt.Sprintf("/proc/%d/exe", pid)), "the daemon became the new one")
	stop()

	d.run(old, "journal", "verify")
	d.run(old, "recover")
	require.Equal(t, "1.1.0", d.current(old))
	d.run(old, "rollback")
	require.Equal(t, "1.0.0", d.current(old))
	d.run(old, "recover", "--finish")

	d.run(committed, "journal", "verify")
	require.Equal(t, "1.0.0", d.current(committed))
	require.Equal(t, next, sum(t, committed), "an older updater changes nothing about the committed one")
	_, stop = d.serve(committed)
	d.run(committed, "install", release("1.2.0"))
	d.run(committed, "rollback", "--to", "1.1.0")
	require.Equal(t, next, sum(t, committed), "the program follows the version that is committed")
	stop()
	d.run(old, "journal", "verify")
	require.Equal(t, "1.1.0", d.current(old))
}
