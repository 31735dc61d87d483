package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
)

// A device installs the updater from an apt repository whose key it was given, and
// upgrades it from there. An index that was changed after it was signed is refused.
func TestAptRepository(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	repository, key := filepath.Join(t.TempDir(), "apt"), secretKey(t)
	publish := func(version string) string {
		out, err := repositoryOf(t, repository, key, deb(t, version))
		require.NoError(t, err, "%s", out)
		d.MustRun("rm", "-rf", "/srv/apt")
		d.Copy(repository, "/srv/apt")
		return out
	}
	d.Boot()
	require.Contains(t, publish(older), "1 packages, signed by ")
	d.Write("/etc/apt/sources.list", "", 0o644)
	d.Write("/etc/apt/sources.list.d/tope-updater.list", "deb [signed-by=/usr/share/keyrings/tope-updater.gpg] file:/srv/apt stable main\n", 0o644)
	refused, _ := d.Run("apt-get", "update")
	require.Contains(t, refused, "is not signed", "before it has the key")
	d.MustRun("cp", "/srv/apt/tope-updater.gpg", "/usr/share/keyrings/tope-updater.gpg")

	d.MustRun("apt-get", "update")
	d.MustRun("apt-get", "install", "-y", "--no-install-recommends", "tope-updater")
	require.Equal(t, older, d.program())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))

	require.Contains(t, publish(newer), "2 packages, signed by ")
	d.MustRun("apt-get", "update")
	d.MustRun("apt-get", "upgrade", "-y")
	require.Equal(t, newer, d.program())
	require.Equal(t, "active", d.Property(daemon, "ActiveState"))
	d.MustRun("apt-get", "install", "-y", "--allow-downgrades", "tope-updater=1.0.0-1")
	require.Equal(t, older, d.program())

	d.MustRun("sed", "-i", "s/^Origin: .*/Origin: somebody else/", "/srv/apt/dists/stable/InRelease")
	refused, err := d.Run("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
	require.Error(t, err, "%s", refused)
	require.Contains(t, refused, "BADSIG")
}

// A package that is published does not change; what is there stays.
func TestAptRepositoryKeepsWhatItPublished(t *testing.T) {
	t.Parallel()
	repository, key, other := filepath.Join(t.TempDir(), "apt"), secretKey(t), filepath.Join(t.TempDir(), "tope-updater_1.0.0-1_amd64.deb")
	for range 2 {
		out, err := repositoryOf(t, repository, key, deb(t, older))
		require.NoError(t, err, "%s", out)
	}
	name := filepath.Base(deb(t, older))
	other = filepath.Join(filepath.Dir(other), name)
	require.NoError(t, os.WriteFile(other, []byte("other bytes"), 0o644))
	out, err := repositoryOf(t, repository, key, other)
	require.Error(t, err)
	require.Contains(t, out, name+" is in the repository already, with other bytes")
	out, err = repositoryOf(t, repository, "nobody@example.com", deb(t, older))
	require.Error(t, err)
	require.Contains(t, out, "gpg has no secret key nobody@example.com")
	require.FileExists(t, filepath.Join(repository, "dists/stable/InRelease"))
}

func repositoryOf(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(builttest.Top(), "deploy/deb/repository.sh"), args...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// secretKey is the file of a new secret key, for this test alone.
func secretKey(t *testing.T) string {
	t.Helper()
	home, file := t.TempDir(), filepath.Join(t.TempDir(), "archive.key")
	require.NoError(t, os.Chmod(home, 0o700))
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	for _, args := range []string{
		"--passphrase= --quick-generate-key archive@example.com ed25519 sign never",
		"--export-secret-keys --output " + file,
	} {
		out, err := exec.CommandContext(t.Context(), "gpg", append([]string{"--homedir", home, "--batch", "--quiet"}, strings.Fields(args)...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return file
}
