package look_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/look"
)

func TestLockersOfADirectory(t *testing.T) {
	dir := t.TempDir()
	all, err := look.Lockers(dir)
	require.NoError(t, err)
	require.Empty(t, all)
	f, err := os.Open(dir)
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	all, err = look.Lockers(dir)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, os.Getpid(), all[0].PID)
	require.NoError(t, f.Close())
	all, err = look.Lockers(dir)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestOpenFilesAreFoundByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	found, ok := look.OpenNamed(os.Getpid(), "journal.db")
	require.True(t, ok)
	require.Equal(t, look.OpenFile{Path: path}, found)
	require.NoError(t, os.Remove(path))
	found, ok = look.OpenNamed(os.Getpid(), "journal.db")
	require.True(t, ok)
	require.True(t, found.Deleted)
	_, ok = look.OpenNamed(os.Getpid(), "another.db")
	require.False(t, ok)
}

func TestWhatAProcessExecutes(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	content, err := os.ReadFile(sleep)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, content, 0o755))
	cmd := exec.CommandContext(t.Context(), path, "60")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := look.ProgramOf(cmd.Process.Pid)
	require.NoError(t, err)
	require.Equal(t, look.Executable{Path: path, Same: true}, p)
	// Another program takes its place, as an upgrade does.
	require.NoError(t, os.WriteFile(path+".new", content, 0o755))
	require.NoError(t, os.Rename(path+".new", path))
	p, err = look.ProgramOf(cmd.Process.Pid)
	require.NoError(t, err)
	require.Equal(t, look.Executable{Path: path, Deleted: true}, p)
}
