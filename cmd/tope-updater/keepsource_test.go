package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
)

func TestKeepSource(t *testing.T) {
	k := keeper{work: filepath.Join(t.TempDir(), "work")}
	url := source.New("https://me:s3cr3t@h/r.tope?t=s3cr3t")
	_, err := k.Source("u1")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, k.KeepSource("u1", url))
	got, err := k.Source("u1")
	require.NoError(t, err)
	require.True(t, got.Equal(url))
	for path, mode := range map[string]fs.FileMode{"work/u1": 0o700, "work/u1/source": 0o600} {
		info, err := os.Stat(filepath.Join(filepath.Dir(k.work), path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
}

// What is removed is overwritten first: the bytes are gone for whoever has the file open,
// and so from the blocks of a file system that writes in place.
func TestSecretsAreWiped(t *testing.T) {
	for name, remove := range map[string]func(keeper) error{
		"with the directory": func(k keeper) error { return k.DropWorkDir("u1") },
		"cut while it is kept": func(k keeper) error {
			return errors.Join(os.Rename(k.source("u1"), disk.TempName(k.source("u1"))), k.DropWorkDir("u1"))
		},
		"by tidying": func(k keeper) error { _, err := k.dropWork(engine.Needs{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			k := keeper{work: filepath.Join(t.TempDir(), "work")}
			text := "https://me:s3cr3t@h/r.tope?t=" + strings.Repeat("s3cr3t", 500)
			require.NoError(t, k.KeepSource("u1", source.New(text)))
			f, err := os.Open(k.source("u1"))
			require.NoError(t, err)
			defer f.Close()
			require.NoError(t, remove(k))
			require.NoFileExists(t, k.source("u1"))
			left := make([]byte, len(text))
			_, err = f.ReadAt(left, 0)
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{0}, len(text)), left)
		})
	}
}

// What others have put among the work directories is removed, and not written to.
func TestNothingElseIsWiped(t *testing.T) {
	dir := t.TempDir()
	k := keeper{work: filepath.Join(dir, "work")}
	other := filepath.Join(dir, "other")
	require.NoError(t, os.WriteFile(other, []byte("kept"), 0o600))
	require.NoError(t, os.MkdirAll(k.WorkDir("u1"), 0o700))
	require.NoError(t, os.Symlink(other, k.source("u1")))
	require.NoError(t, os.WriteFile(filepath.Join(k.work, "file"), nil, 0o600))
	require.NoError(t, os.MkdirAll(k.source("u2"), 0o700))
	_, err := k.dropWork(engine.Needs{})
	require.NoError(t, err)
	left, err := os.ReadDir(k.work)
	require.NoError(t, err)
	require.Empty(t, left)
	text, err := os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, "kept", string(text))
}
