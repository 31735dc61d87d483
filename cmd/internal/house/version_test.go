package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The version of a build is that of the newest release in CHANGELOG.md, with
// something behind it as long as a change is not released.
func TestVersionComesFromTheChangelog(t *testing.T) {
	const (
		released = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0-rc.1] - 2026-11-29\n\n- New.\n\n## [1.1.0] - 2026-01-01\n\n- Old.\n"
		more     = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Newer.\n\n## [1.2.0] - 2026-11-29\n\n- New.\n"
	)
	script := read(t, "deploy/deb/source-version.sh")
	tree := func(t *testing.T, changelog string) string {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "deploy/deb"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "deploy/deb/source-version.sh"), []byte(script), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte(changelog), 0o644))
		return dir
	}
	run := func(t *testing.T, dir, name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	version := func(t *testing.T, dir string) string {
		return run(t, dir, filepath.Join(dir, "deploy/deb/source-version.sh"))
	}
	require.Equal(t, "1.2.0-rc.1", version(t, tree(t, released)))

	dir := tree(t, more)
	require.Equal(t, "1.2.0+dev", version(t, dir))
	run(t, dir, "git", "init", "-q")
	run(t, dir, "git", "add", ".")
	run(t, dir, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "a")
	require.Regexp(t, `^1\.2\.0-1-g[0-9a-f]{12}$`, version(t, dir))
}
