package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
)

// ext4 makes a file system in a file and mounts it.
func ext4(t *testing.T, feature, options string) string {
	t.Helper()
	roottest.Need(t, "a loop device")
	image, dir := filepath.Join(t.TempDir(), "disk"), filepath.Join(t.TempDir(), "a mount\t")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 16<<20))
	require.NoError(t, os.Mkdir(dir, 0o755))
	run := func(command ...string) {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
	}
	run("mkfs.ext4", "-q", "-O", feature, image)
	run("mount", "-o", "loop,"+options, image, dir)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

func TestMountOfTellsHowAFileSystemIsMounted(t *testing.T) {
	dir := ext4(t, "^fast_commit", "barrier=0,noatime")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o755))
	m, err := MountOf(filepath.Join(dir, "below"))
	require.NoError(t, err)
	require.Equal(t, dir, m.Point)
	require.Equal(t, "ext4", m.Type)
	require.True(t, m.Has("nobarrier"), m.Options)
	require.True(t, m.Has("x", "noatime"), m.Options)
	require.False(t, m.Has("barrier", "ro"), m.Options)
	on, err := m.FastCommit()
	require.NoError(t, err)
	require.False(t, on)
}

func TestFastCommitIsReadFromTheSuperblock(t *testing.T) {
	m, err := MountOf(ext4(t, "fast_commit", "rw"))
	require.NoError(t, err)
	on, err := m.FastCommit()
	require.NoError(t, err)
	require.True(t, on)
}

func TestWhatIsNoExt4HasNoFastCommits(t *testing.T) {
	_, err := fastCommit(strings.NewReader(strings.Repeat("\x00", 4096)))
	require.ErrorIs(t, err, errNotExt4)
	_, err = fastCommit(strings.NewReader("short"))
	require.Error(t, err)
}

func TestMountOfWhatIsNotThere(t *testing.T) {
	_, err := MountOf("/no/such/path")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = parseMounts(strings.NewReader("nonsense\n"))
	require.ErrorContains(t, err, "nonsense")
}
