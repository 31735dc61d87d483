package packages_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

// A removal brings an open update to its end, and tells how that went: a correct
// rollback does not call for anybody.
func TestARemovalTellsHowTheOpenUpdateEnded(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		0: "", 12: "the open update was undone", 13: "the device needs attention", 124: "within ten minutes", 1: "exit code 1",
	} {
		said := removal(t, code)
		require.Equal(t, code == 13, strings.Contains(said, "attention"), said)
		require.Contains(t, said, want)
		if want == "" {
			require.Empty(t, said)
		}
	}
}

// removal runs the package's prerm in a tree of its own, where recovery ends with an
// exit code, and returns what the script prints.
func removal(t *testing.T, code int) string {
	t.Helper()
	root := t.TempDir()
	write := func(path, content string) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o755))
	}
	write("run/systemd/system/none", "")
	write("bin/tope-updater", fmt.Sprintf("#!/bin/sh\n[ \"$1\" != recover ] || exit %d\n", code))
	write("bin/systemctl", "#!/bin/sh\n")
	script, err := os.ReadFile(filepath.Join(builttest.Top(), "deploy/deb/prerm"))
	require.NoError(t, err)
	for _, dir := range []string{"/run/systemd", "/etc/systemd", "/var/lib"} {
		script = []byte(strings.ReplaceAll(string(script), dir, root+dir))
	}
	write("prerm", string(script))
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "prerm"), "remove")
	cmd.Env = []string{"PATH=" + root + "/bin:/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// The scripts cannot share a file: each may run when the other's package is half there.
func TestTheScriptsTellOurUnitsInTheSameWay(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, script := range []string{"deb/postinst", "deb/prerm", "install.sh"} {
		text, err := os.ReadFile(filepath.Join(builttest.Top(), "deploy", script))
		require.NoError(t, err)
		_, rest, found := strings.Cut(string(text), "\nours() {\n")
		require.True(t, found, script)
		function, _, _ := strings.Cut(rest, "\n}\n")
		texts = append(texts, function)
	}
	require.Equal(t, texts[0], texts[1])
	require.Equal(t, texts[0], texts[2])
}
