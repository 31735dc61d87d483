package filelist_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/filelist"
)

var (
	head  = filelist.Head{Schema: 1, Update: "u-1", Version: "1.2.0", Digest: "md5:x"}
	files = []versions.File{
		{Path: "bin", Type: versions.TypeDir, Mode: 0o555},
		{Path: "bin/a & b <c>", Type: versions.TypeFile, Mode: 0o444, Size: 3, SHA256: strings.Repeat("0", 64)},
		{Path: "bin/ü\u2028", Type: versions.TypeLink, Target: "a & b <c>"},
	}
)

func write(t testing.TB, dir string) {
	t.Helper()
	w, err := filelist.Create(dir, head)
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, w.Add(f))
	}
	require.NoError(t, w.Finish())
}

func read(dir string) (got []versions.File, h filelist.Head, err error) {
	h, err = filelist.Read(dir, func(f versions.File) error {
		got = append(got, f)
		return nil
	})
	return got, h, err
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	_, _, err := read(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	write(t, dir)
	got, h, err := read(dir)
	require.NoError(t, err)
	require.Equal(t, head, h)
	require.Equal(t, files, got)

	w, err := filelist.Create(dir, head)
	require.NoError(t, err)
	got, _, err = read(dir)
	require.NoError(t, err, "the old list stays until the new one is finished")
	require.Equal(t, files, got)
	w.Abandon()
	require.NoError(t, filelist.Remove(dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, filelist.Remove(dir))
}

// Read reports a list that has lost its end, or that has a wrong byte.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	path := filepath.Join(dir, filelist.Name)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range whole {
		// the last byte is the newline, which may be missing
		if i < len(whole)-1 {
			require.NoError(t, os.WriteFile(path, whole[:i], 0o600))
			_, _, err := read(dir)
			require.ErrorIs(t, err, filelist.ErrTorn, "cut at %d", i)
		}
		changed := bytes.Clone(whole)
		changed[i] = 0
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		_, _, err = read(dir)
		require.ErrorIs(t, err, filelist.ErrTorn, "zero at %d", i)
	}
	require.NoError(t, os.WriteFile(path, append(whole, whole...), 0o600))
	_, _, err = read(dir)
	require.ErrorIs(t, err, filelist.ErrTorn)
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, tree string)
		says   string
	}{
		"as listed": {func(*testing.T, string) {}, ""},
		"being published": {func(t *testing.T, tree string) {
			require.NoError(t, os.WriteFile(filepath.Join(tree, versions.ManifestName), nil, 0o444))
		}, ""},
		"missing": {func(t *testing.T, tree string) { require.NoError(t, os.Remove(filepath.Join(tree, files[1].Path))) }, "missing"},
		"longer": {func(t *testing.T, tree string) {
			disktest.Cut(t, filepath.Join(tree, files[1].Path), 4)
		}, "size is 4, not 3"},
		"other mode": {func(t *testing.T, tree string) {
			require.NoError(t, os.Chmod(filepath.Join(tree, files[1].Path), 0o555))
		}, "mode"},
		"extra": {func(t *testing.T, tree string) { require.NoError(t, os.Mkdir(filepath.Join(tree, "extra"), 0o755)) }, "4 entries, not 3"},
		"other target": {func(t *testing.T, tree string) {
			require.NoError(t, os.Remove(filepath.Join(tree, files[2].Path)))
			require.NoError(t, os.Symlink("b", filepath.Join(tree, files[2].Path)))
		}, "target is b"},
		"other type": {func(t *testing.T, tree string) {
			require.NoError(t, os.Remove(filepath.Join(tree, files[2].Path)))
			require.NoError(t, os.WriteFile(filepath.Join(tree, files[2].Path), nil, 0o444))
		}, "ü"},
		"not a directory": {func(t *testing.T, tree string) {
			require.NoError(t, disk.RemoveTree(tree))
			require.NoError(t, os.WriteFile(tree, nil, 0o444))
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tree := filepath.Join(dir, "tree")
			write(t, dir)
			require.NoError(t, os.MkdirAll(filepath.Join(tree, "bin"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(tree, files[1].Path), []byte("abc"), 0o444))
			require.NoError(t, os.Symlink(files[2].Target, filepath.Join(tree, files[2].Path)))
			c.change(t, tree)
			_, sum, err := filelist.Check(context.Background(), dir, tree, nil)
			if c.says == "" {
				require.NoError(t, err)
				require.Equal(t, filelist.Summary{Files: 1, Dirs: 1, Links: 1, Bytes: 3}, sum)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorIs(t, err, filelist.ErrDiffers)
		})
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	write(f, dir)
	whole, err := os.ReadFile(filepath.Join(dir, filelist.Name))
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, filelist.Name), data, 0o600))
		if _, _, err := read(dir); err != nil {
			require.ErrorIs(t, err, filelist.ErrTorn)
		}
	})
}

func TestRemoveWhereThereIsNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, filelist.Remove(dir))
	require.NoError(t, filelist.Remove(filepath.Join(dir, "never made")))
}
