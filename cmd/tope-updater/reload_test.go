package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine/legacy"
)

// A configuration behind a link is that to which the link leads at the time of the reload, and
// is named by its own path.
func TestAReloadFollowsTheLinkAnew(t *testing.T) {
	a := &app{root: t.TempDir()}
	etc := filepath.Join(a.root, "etc/tope-updater")
	require.NoError(t, os.MkdirAll(filepath.Dir(etc), 0o755))
	lead := func(name, text string) (file string) {
		file = filepath.Join(a.root, name, "config.toml")
		require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		require.NoError(t, os.RemoveAll(etc))
		require.NoError(t, os.Symlink("/"+name, etc))
		return file
	}
	first := lead("a", "[device]\nproduct = \"of a\"\n")
	d, err := a.device()
	require.NoError(t, err)
	require.Equal(t, first, d.configFile)

	second := lead("b", "[device]\nproduct = \"of b\"\n")
	next, said, err := d.anew()
	require.NoError(t, err)
	require.Equal(t, "of b", next.cfg.Device.Product)
	require.Equal(t, []string{second, second}, []string{next.configFile, said.Config})

	moved := lead("c", "[paths]\nshared = \"/elsewhere\"\n")
	_, _, err = next.anew()
	require.ErrorContains(t, err, moved+": to change paths.shared takes a restart")
}

// A look at a new configuration leaves what clients were told last as it is, which an
// update of the running daemon may need.
func TestCheckingAConfigurationWritesNothing(t *testing.T) {
	a := &app{root: t.TempDir()}
	shown := filepath.Join(a.root, "var/lib/tope-updater/shown.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(shown), 0o755))
	require.NoError(t, os.WriteFile(shown, []byte("an open update\n"), 0o600))
	d, err := a.device()
	require.NoError(t, err)
	_, _, err = d.anew()
	require.NoError(t, err)
	text, err := os.ReadFile(shown)
	require.NoError(t, err)
	require.Equal(t, "an open update\n", string(text))
}

// The daemon reloads again and again. Requests that come between two lives of the engine
// wait for the next one; only one that is being answered when a life ends has to be asked
// again.
func TestClientsHardlySeeAReload(t *testing.T) {
	programs := builttest.Services(t)
	d, err := programs.Device(t.Context(), filepath.Join(t.TempDir(), "device"), fixtures.Release{Version: "1.0.0"}, fixtures.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	w := newWindow(t, d.Ports.Updater)
	startDaemon(t, d)
	w.until(0, stageIs(legacy.Idle))

	var over atomic.Bool
	answers := make(chan map[string]int)
	go func() {
		seen := map[string]int{}
		for !over.Load() {
			res, err := http.Post(w.base+"update", "application/json", strings.NewReader(`{"version":"9.9.9"}`))
			if err != nil {
				seen[err.Error()]++
				continue
			}
			body, err := io.ReadAll(res.Body)
			seen[fmt.Sprintf("%d %s %v %v", res.StatusCode, body, err, res.Body.Close())]++
		}
		answers <- seen
	}()
	const reloads = 10
	for range reloads {
		out, err := exec.Command(builttest.Updater(t, builttest.Version), "--config", d.Config, "--root", d.Root, "reload").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	over.Store(true)
	seen := <-answers
	refused := 0
	for answer, n := range seen {
		if !strings.Contains(answer, "Package not found: 9.9.9") {
			refused += n
			t.Log(n, answer)
		}
	}
	require.LessOrEqual(t, refused, reloads)
	w.until(0, stageIs(legacy.Idle))
}
