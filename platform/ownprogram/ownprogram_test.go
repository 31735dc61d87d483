package ownprogram_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/versions"
)

// tree has versions in a directory; those with a manifest promise "promised".
type tree struct {
	dir      string
	complete map[string]string // version to the SHA-256 its manifest has
}

func (t tree) Path(version string) string { return filepath.Join(t.dir, "v"+version) }

func (t tree) Manifest(version string) (*versions.Manifest, error) {
	sum, ok := t.complete[version]
	if !ok {
		return nil, versions.ErrNoManifest
	}
	return &versions.Manifest{Files: []versions.File{{Path: ownprogram.Entry, Type: versions.TypeFile, SHA256: sum}}}, nil
}

// device has a committed copy that says "old", and a version 1.0.0, made by
// hand, that carries one that says "new".
func device(t *testing.T) (p *ownprogram.Program, committed string, versions tree) {
	t.Helper()
	dir := t.TempDir()
	committed = filepath.Join(dir, "lib/tope-updater")
	tr := tree{dir, map[string]string{}}
	write(t, committed, "old")
	write(t, filepath.Join(tr.Path("1.0.0"), ownprogram.Entry), "new")
	return ownprogram.New(committed, committed, tr), committed, tr
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o755))
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestReplace(t *testing.T) {
	p, committed, _ := device(t)
	write(t, filepath.Join(filepath.Dir(committed), ".tope-updater.tmp"), "left by a cut")
	changed, err := p.Replace("1.0.0")
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, "new", content(t, committed))
	info, err := os.Stat(committed)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode())
	entries, err := os.ReadDir(filepath.Dir(committed))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")

	changed, err = p.Replace("1.0.0")
	require.NoError(t, err)
	require.False(t, changed, "a second time there is nothing to do")
	own, err := p.Own()
	require.NoError(t, err)
	require.NotEmpty(t, own.Digest)
}

func TestReplaceLeavesAlone(t *testing.T) {
	t.Run("a version without an updater", func(t *testing.T) {
		p, committed, _ := device(t)
		changed, err := p.Replace("2.0.0")
		require.NoError(t, err)
		require.False(t, changed)
		require.Equal(t, "old", content(t, committed))
	})
	t.Run("a link in the place of one", func(t *testing.T) {
		p, committed, tr := device(t)
		path := filepath.Join(tr.Path("1.0.0"), ownprogram.Entry)
		require.NoError(t, os.Rename(path, path+".real"))
		require.NoError(t, os.Symlink(path+".real", path))
		changed, err := p.Replace("1.0.0")
		require.NoError(t, err)
		require.False(t, changed)
		require.Equal(t, "old", content(t, committed))
	})
	t.Run("a device without a committed copy", func(t *testing.T) {
		p, committed, _ := device(t)
		require.NoError(t, os.Remove(committed))
		changed, err := p.Replace("1.0.0")
		require.NoError(t, err)
		require.False(t, changed)
		require.NoFileExists(t, committed)
	})
	t.Run("a file that is not as the manifest promised", func(t *testing.T) {
		p, committed, tr := device(t)
		tr.complete["1.0.0"] = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
		_, err := p.Replace("1.0.0")
		require.ErrorContains(t, err, "is damaged")
		require.ErrorContains(t, err, committed)
		require.Equal(t, "old", content(t, committed))
		require.NoFileExists(t, filepath.Join(filepath.Dir(committed), ".tope-updater.tmp"))
	})
}

func TestAsk(t *testing.T) {
	for name, c := range map[string]struct {
		program, err string
		answer       ownprogram.Answer
	}{
		"an updater":          {program: "#!/bin/sh\necho '{\"version\":\"1.2\",\"takeover\":1,\"later\":true}'\n", answer: ownprogram.Answer{Version: "1.2", Takeover: 1}},
		"an older one":        {program: "#!/bin/sh\necho '{\"version\":\"1.1\"}'\n", answer: ownprogram.Answer{Version: "1.1"}},
		"no program":          {program: "hello", err: "exec format error"},
		"without interpreter": {program: "#!/no/such\n", err: "no such file"},
		"one that complains":  {program: "#!/bin/sh\necho too bad >&2; exit 2\n", err: "exit status 2: too bad"},
		"one without end":     {program: "#!/bin/sh\necho '{\"version\":\"1.2\"}'; head -c 70000 /dev/zero | tr '\\0' ' '; echo more\n", answer: ownprogram.Answer{Version: "1.2"}},
		"another program":     {program: "#!/bin/sh\necho hello\n", err: "it is not an updater"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tope-updater")
			write(t, path, c.program)
			answer, err := ownprogram.Ask(context.Background(), ownprogram.Copy{Path: path})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, path)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.answer, answer)
		})
	}
}
