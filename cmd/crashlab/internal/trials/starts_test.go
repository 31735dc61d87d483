//go:build linux && amd64

package trials_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
)

// An updater that is killed while it starts a service leaves its port to the
// service's process, until that executes its program: 20 of 88 starts failed.
func TestAnUpdaterKilledInRestartingStartsAgainAtOnce(t *testing.T) {
	tried(t)
	p := builttest.Services(t)
	d := newDevice(t, t.TempDir(), p, fixtures.Options{})
	require.NoError(t, p.Install(t.Context(), d.Device, fixtures.Release{Version: "1.1.0"}))
	d.serve()
	for round := range 12 {
		api := client.Socket(d.socket())
		at, err := d.Store.Pointers()
		require.NoError(t, err)
		to := map[string]string{"1.0.0": "1.1.0", "1.1.0": "1.0.0"}[at.Current]
		_, err = api.Rollback(t.Context(), to, engine.Turning{})
		require.NoError(t, err)
		d.eventually("the restart to begin", func() bool {
			st, err := api.Status(t.Context())
			return err == nil && (st.State == engine.Restarting || st.State == engine.Idle)
		})
		api.Close()
		time.Sleep(time.Duration(round%5) * time.Millisecond) // to somewhere within the restart
		require.NoError(t, d.daemon.Process.Kill())
		_ = d.daemon.Wait()
		d.serve()
	}
}

// Three daemons without TCP started at once left the one that stayed without its
// socket in 7 of 30 tries.
func TestOfThreeDaemonsOneStaysWithItsSocket(t *testing.T) {
	tried(t)
	d := newDevice(t, t.TempDir(), builttest.Services(t), fixtures.Options{})
	text, err := os.ReadFile(d.Config)
	require.NoError(t, err)
	config := regexp.MustCompile(`listen = "[^"]+"`).ReplaceAll(text, []byte(`listen = ""`))
	require.NotEqual(t, text, config)
	require.NoError(t, os.WriteFile(d.Config, config, 0o644))
	for range 15 {
		ended := make(chan *exec.Cmd, 3)
		var daemons []*exec.Cmd
		var stopped atomic.Bool
		for range 3 {
			daemon := d.command("serve")
			daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			require.NoError(t, daemon.Start())
			daemons = append(daemons, daemon)
			go func() {
				_ = daemon.Wait()
				if !stopped.Load() {
					ended <- daemon
				}
			}()
		}
		lost := []*exec.Cmd{<-ended, <-ended}
		d.becomesIdle()
		require.Empty(t, ended, "one stays")
		stopped.Store(true)
		for _, daemon := range daemons {
			if daemon != lost[0] && daemon != lost[1] {
				require.NoError(t, daemon.Process.Kill())
				d.eventually("the daemon to be gone", func() bool { return errors.Is(daemon.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) })
			}
		}
	}
}
