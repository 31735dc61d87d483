package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
)

// confinedServe makes a process 1, which sees what the test sees, and beside it a daemon
// for which a directory is read-only.
const confinedServe = `
mount -t proc proc /proc || exit
unshare --mount sh -c '
	mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" --root "$3" --config "$4" serve' sh "$@"
exit $?
`

// What a unit's sandbox denies is told, with the drop-in to write. The mounts of a process
// that systemd did not start, in a container say, are nobody's sandbox: no drop-in helps.
func TestOnlyAUnitHasASandbox(t *testing.T) {
	roottest.Need(t, "mounts")
	root := t.TempDir()
	run := filepath.Join(root, "run/tope-updater")
	require.NoError(t, os.MkdirAll(run, 0o755))
	config := filepath.Join(root, "config.toml")
	require.NoError(t, os.WriteFile(config, []byte("[services]\nmanager = \"embedded\"\n"), 0o600))
	serve := func(env ...string) string {
		cmd := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "--mount", "sh", "-c", confinedServe,
			"sh", run, builttest.Updater(t, builttest.Version), root, config)
		cmd.Env = append(os.Environ(), env...)
		said, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(said), "read-only file system")
		return string(said)
	}
	watched := serve("NOTIFY_SOCKET=" + filepath.Join(root, "notify"))
	require.Contains(t, watched, "the daemon's sandbox cannot write to /run/tope-updater")
	require.Contains(t, watched, steps.SandboxHint)
	require.NotContains(t, serve(), "sandbox")
}
