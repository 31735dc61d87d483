package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
)

func TestWriteFileFromAnyStart(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*testing.T, string)
	}{
		{"nothing there", nil},
		{"an older file", file("old", "f")},
		{"a link, which is replaced and not followed", both(file("other", "g"), link("g", "f"))},
		{"a stale temporary", both(file("old", "f"), file("half", ".f.tmp"))},
		{"a temporary that is a trap", both(file("other", "g"), link("g", ".f.tmp"))},
		{"a temporary tree", file("x", ".f.tmp/a/b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dirWith(t, c.start)
			path := filepath.Join(dir, "f")
			for range 2 {
				require.NoError(t, disk.WriteFile(path, []byte("new"), 0o666))
				info, err := os.Lstat(path)
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o666), info.Mode(), "whatever the umask")
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, "new", string(data))
				require.NotContains(t, names(t, dir), ".f.tmp")
			}
			if other, err := os.ReadFile(filepath.Join(dir, "g")); err == nil {
				require.Equal(t, "other", string(other))
			}
		})
	}
}

func TestWriteFileThatFailsLeavesTheOldFile(t *testing.T) {
	small := disktest.NewExt4(t, 2<<20)
	path := filepath.Join(small.Dir, "f")
	require.NoError(t, disk.WriteFile(path, []byte("old"), 0o600))
	release := small.Fill(t, 0)

	big := []byte(strings.Repeat("new", 100_000))
	err := disk.WriteFile(path, big, 0o600)
	require.ErrorIs(t, err, unix.ENOSPC)
	require.True(t, disk.OutOfSpace(err))
	require.ErrorContains(t, err, path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
	require.NotContains(t, names(t, small.Dir), ".f.tmp", "what was written gives its space back")

	release()
	require.NoError(t, disk.WriteFile(path, big, 0o600), "with room again it works")
}

func TestWriteFileNeverReplacesADirectory(t *testing.T) {
	dir := dirWith(t, file("precious", "f/g"))
	require.Error(t, disk.WriteFile(filepath.Join(dir, "f"), []byte("new"), 0o600))
	require.Equal(t, []string{"f"}, names(t, dir))
}

func TestMkdirAll(t *testing.T) {
	dir := dirWith(t, file("x", "file"))
	for range 2 {
		require.NoError(t, disk.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
		require.DirExists(t, filepath.Join(dir, "a/b/c"))
	}
	require.NoError(t, disk.MkdirAll("/", 0o755))
	require.ErrorContains(t, disk.MkdirAll(filepath.Join(dir, "file"), 0o755), "a file is in its place")
	require.Error(t, disk.MkdirAll(filepath.Join(dir, "file/below"), 0o755))
}
