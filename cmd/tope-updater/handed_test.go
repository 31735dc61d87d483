package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/roottest"
)

// TestAMemberInstallsWhatHeCanRead: a daemon that runs as root installs a member's file
// that nobody else can read, and can be made to read neither a file of root's by its path
// nor any file by TCP.
func TestAMemberInstallsWhatHeCanRead(t *testing.T) {
	roottest.Need(t, "a group in a mount namespace")
	const member, group = 65534, 4711
	programs := builttest.Services(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	program, err := os.ReadFile(builttest.Updater(t, builttest.Version))
	require.NoError(t, err)
	updater := filepath.Join(dir, "tope-updater") // where everybody may run it
	require.NoError(t, os.WriteFile(updater, program, 0o755))
	d, err := programs.Device(t.Context(), filepath.Join(dir, "device"), fixtures.Release{Version: "1.0.0"}, patientGate())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	mine := filepath.Join(dir, "mine")
	require.NoError(t, os.Mkdir(mine, 0o700))
	p, err := programs.Package(mine, fixtures.Release{Version: "1.1.0"})
	require.NoError(t, err)
	bundle := filepath.Join(mine, p.Name)
	require.NoError(t, os.Chmod(bundle, 0o600))
	require.NoError(t, os.Chown(bundle, member, group))
	require.NoError(t, os.Chown(mine, member, group))
	secret := filepath.Join(dir, "shadow")
	require.NoError(t, os.WriteFile(secret, []byte("root:hash"), 0o600))

	// Everybody but the daemon's namespace keeps the groups that there are.
	groups, err := os.ReadFile("/etc/group")
	require.NoError(t, err)
	own := filepath.Join(dir, "group")
	require.NoError(t, os.WriteFile(own, fmt.Appendf(groups, "tope-updater:x:%d:\n", group), 0o644))
	daemon := exec.Command("unshare", "-m", "sh", "-c", `mount --bind "$1" /etc/group && shift && exec "$@"`, "sh",
		own, updater, "--config", d.Config, "--root", d.Root, "serve")
	var log strings.Builder
	daemon.Stderr = &log
	require.NoError(t, daemon.Start())
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	socket := filepath.Join(d.Root, "run/tope-updater/api.sock")
	require.Eventually(t, func() bool {
		info, err := os.Stat(socket)
		return err == nil && info.Sys().(*syscall.Stat_t).Gid == group
	}, 30*time.Second, 20*time.Millisecond)
	as := func(program string, args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: member, Gid: group}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	verb := func(args ...string) (string, error) {
		return as(updater, append([]string{"--config", d.Config, "--root", d.Root}, args...)...)
	}

	require.Eventually(t, func() bool { _, err := verb("status"); return err == nil }, 30*time.Second, 20*time.Millisecond, "it has its journal")

	out, err := verb("install", secret)
	require.Error(t, err)
	require.Contains(t, out, "permission denied")
	out, err = as("curl", "-s", "--unix-socket", socket, "-H", "Content-Type: application/json", "-d", `{"url":"`+secret+`"}`, "http://localhost/api/v2/install")
	require.NoError(t, err, out)
	require.Contains(t, out, "only root may name a file by its path")
	resp, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/api/v2/install", d.Ports.Updater), "application/json", strings.NewReader(`{"url":"`+secret+`"}`))
	require.NoError(t, err)
	resp.Body.Close()
	require.GreaterOrEqual(t, resp.StatusCode, 400)

	out, err = verb("install", bundle)
	require.NoError(t, err, out)
	require.Contains(t, out, "1.1.0 is current")
}
