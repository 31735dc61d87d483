//go:build linux && amd64

package trials_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/sweeptest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

const unitDir = "etc/systemd/system"

// TestUnitFilesAreKilled kills recover before each call by which it makes the
// unit files those of another version, and in the middle of each write. The next
// recover finishes the work, also when it finds current back at the old version. The
// whole sweep kills at each call.
func TestUnitFilesAreKilled(t *testing.T) {
	tried(t)
	carry := func(version string, units ...string) fixtures.Release {
		r := fixtures.Release{Version: version, Files: map[string][]byte{}}
		for _, u := range units {
			r.Files["systemd/"+u] = []byte("[Service]\nExecStart=/bin/" + version + "\n[Install]\nWantedBy=multi-user.target\n")
		}
		return r
	}
	root := filepath.Join(t.TempDir(), "device")
	stubs := fixtures.Stubs()
	made, err := stubs.Device(t.Context(), root, carry("1.0.0", "device-api.service", "old.service"), fixtures.Options{Manager: "systemd"})
	require.NoError(t, err)
	require.NoError(t, stubs.Install(t.Context(), made, carry("1.1.0", "device-api.service", "fresh.service", "theirs.service")))
	require.NoError(t, os.MkdirAll(filepath.Join(root, unitDir), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, unitDir, "theirs.service"), []byte("the operator's\n"), 0o644))
	d := own(t, made, "127.0.0.1")
	d.must(0, "links") // makes the journal
	d.must(0, "units")

	old := unitTree(t, root)
	require.Contains(t, old, "old.service")
	point(t, root, "1.1.0")
	template := filepath.Join(t.TempDir(), "template")
	require.NoError(t, sweep.CopyTree(root, template))

	var calls []*trace.Call
	recovered(t, root, func(c *trace.Call) trace.Verdict {
		calls = append(calls, c)
		return trace.Verdict{}
	})
	next := unitTree(t, root)
	require.Contains(t, next, "fresh.service")
	require.Contains(t, next, ".theirs.service.kept")
	require.Greater(t, len(calls), 20)

	kills := 0
	for n, call := range calls {
		for _, torn := range []bool{false, true} {
			if torn && !call.Writes() {
				continue
			}
			for _, back := range []bool{false, true} {
				kills++
				if !sweeptest.OneIn(t, 5, kills) {
					continue
				}
				require.NoError(t, disk.RemoveTree(root))
				require.NoError(t, sweep.CopyTree(template, root))
				at := 0
				recovered(t, root, func(*trace.Call) trace.Verdict {
					at++
					return trace.Verdict{Cut: at == n+1, Torn: torn && at == n+1}
				})
				for name, text := range unitTree(t, root) {
					if !strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".service") {
						require.Contains(t, []string{old[name], next[name]}, text, "%s is whole, killed at %s", name, call)
					}
				}
				want := next
				if back {
					point(t, root, "1.0.0")
					want = old
				}
				recovered(t, root, func(*trace.Call) trace.Verdict { return trace.Verdict{} })
				require.Equal(t, want, unitTree(t, root), "killed at call %d, %s; torn %t, back %t", n+1, call, torn, back)
			}
		}
	}
	t.Logf("unit files: %d kills are to be had at %d calls", kills, len(calls))
}

// recovered runs recover on a machine of its own; the handler sees the calls that change units.
func recovered(t *testing.T, root string, h trace.Handler) {
	t.Helper()
	cfg := trace.Config{Dir: root, Handler: func(c *trace.Call) trace.Verdict {
		if !strings.HasPrefix(c.Path, "etc/systemd") {
			return trace.Verdict{}
		}
		return h(c)
	}}
	exit, err := trace.Watch(t.Context(), cfg, trace.Command{
		Args: []string{updater(t), "--root", root, "--config", filepath.Join(root, "etc/tope-updater/config.toml"), "recover"}, Env: trace.Environ(),
	})
	if err != nil {
		require.ErrorIs(t, err, trace.ErrPower)
		return
	}
	require.Zero(t, exit)
}

func point(t *testing.T, root, version string) {
	t.Helper()
	below, err := disk.NewRoot(root)
	require.NoError(t, err)
	store, err := versions.Open(versions.Config{Root: below, Versions: "/opt/tope/versions", Services: "/opt/tope/services", Bin: "/usr/local/bin", Shared: "/opt/tope/shared"})
	require.NoError(t, err)
	require.NoError(t, store.Point(versions.Current, version))
}

// unitTree has the files below /etc/systemd/system, without empty directories.
func unitTree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	dir := filepath.Join(root, unitDir)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			out[rel] = "-> " + target
			return err
		}
		text, err := os.ReadFile(path)
		out[rel] = string(text)
		return err
	}))
	return out
}
