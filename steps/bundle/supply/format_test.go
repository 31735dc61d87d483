package supply_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/supply"
)

// installed is a directory that has version 1.0.0.
type installed string

func (i installed) Path(version string) string { return filepath.Join(string(i), version) }

func (i installed) Manifest(string) (*versions.Manifest, error) { return nil, versions.ErrNotFound }

// opened is a bundle in a work directory, with plan.json beside it if there is one.
func opened(t *testing.T, file []byte, plan any) (bundle.Bundle, string, error) {
	t.Helper()
	dir, old := t.TempDir(), t.TempDir()
	nativetest.Plant(t, filepath.Join(old, "1.0.0"), nativetest.Old())
	nativetest.Plant(t, old, map[string][]byte{"secret": nativetest.Files()["services/app/new"]})
	path := filepath.Join(dir, bundle.FileName)
	require.NoError(t, os.WriteFile(path, file, 0o600))
	if plan != nil {
		text, err := json.Marshal(plan)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, bundle.PlanFile), text, 0o600))
	}
	d := &supply.Judge{Verify: func(_, _ []byte) (string, error) { return "somebody", nil }, Clock: clock.System()}
	b, err := bundle.Open(path, bundle.Limits{}, supply.Format{Judge: d, Versions: installed(old)})
	if err == nil {
		t.Cleanup(func() { require.NoError(t, b.Close()) })
	}
	return b, path, err
}

// read returns the content of every file of the bundle, or the error of reading it.
func read(t *testing.T, b bundle.Bundle) map[string]any {
	t.Helper()
	got := map[string]any{}
	for e, err := range b.Entries() {
		require.NoError(t, err)
		if e.Type != bundle.File {
			continue
		}
		in, err := e.Open()
		if err != nil {
			got[e.Path] = err
			continue
		}
		data, err := io.ReadAll(in)
		require.NoError(t, in.Close())
		switch {
		case err != nil:
			got[e.Path] = err
		case e.SHA256 != "" && nativetest.Digest(data) != e.SHA256:
			got[e.Path] = errors.New("another content")
		default:
			got[e.Path] = string(data)
		}
	}
	return got
}

func requireSound(t *testing.T, b bundle.Bundle) {
	t.Helper()
	got := read(t, b)
	require.Len(t, got, len(nativetest.Files()))
	for name, want := range nativetest.Files() {
		require.True(t, got[name] == string(want), name)
	}
}

func TestAWholeBundleYieldsItsFiles(t *testing.T) {
	b, _, err := opened(t, nativetest.New(t).Make(t, nativetest.Edit{}), nil)
	require.NoError(t, err)
	requireSound(t, b)
	require.Equal(t, int64(nativetest.Epoch), b.Release().Epoch)
	require.Equal(t, "somebody", b.Release().SignedBy)
	require.False(t, b.InOrder())
}

// RAUC CVE-2020-25860: the bytes in use are those that were checked, also when the file
// is changed in the meantime.
func TestAFileSwappedAfterItWasOpenedYieldsNothingElse(t *testing.T) {
	kit := nativetest.New(t)
	file := kit.Make(t, nativetest.Edit{})
	evil := kit.Make(t, nativetest.Edit{Release: func(b *nativetest.Bundle) {
		i := b.Content("services/app/new")
		evil := bytes.Repeat([]byte("evil"), 1350)
		b.File("services/app/new").SHA256 = nativetest.Digest(evil)
		b.Alone[i] = nativetest.Compress(t, evil)
		b.Sum()
	}})
	b, path, err := opened(t, file, nil)
	require.NoError(t, err)
	digest := b.Release().Digest
	require.NoError(t, os.WriteFile(path, evil, 0o600), "in place")
	require.Equal(t, digest, b.Release().Digest)
	for name, got := range read(t, b) {
		if want := string(nativetest.Files()[name]); got != want {
			require.Implements(t, (*error)(nil), got, name)
		}
	}
	require.NotEqual(t, string(nativetest.Files()["services/app/new"]), read(t, b)["services/app/new"])
}

// Unit files are root's: no release makes their directory one that a service writes to.
func TestUnitsThatAServiceWrites(t *testing.T) {
	_, _, err := opened(t, nativetest.New(t).Make(t, nativetest.Edit{Release: func(b *nativetest.Bundle) {
		b.Release.Writable = []versions.Writable{{Path: "systemd"}}
	}}), nil)
	require.ErrorContains(t, err, `writable "systemd": units are root's`)
}

func TestPlansThatDoNotFit(t *testing.T) {
	kit := nativetest.New(t)
	file := kit.Make(t, nativetest.Edit{})
	b, _, err := opened(t, file, nil)
	require.NoError(t, err)
	digest := b.Release().Digest
	type m = map[string]any
	plan := func(first m) m { return m{"digest": digest, "contents": []m{first, {}, {}, {}}} }

	for name, p := range map[string]m{
		"of another release": {"digest": "sha256:0", "solid": true},
		"of fewer contents":  {"digest": digest, "contents": []m{{}}},
	} {
		b, _, err := opened(t, file, p)
		require.NoError(t, err, name)
		requireSound(t, b)
	}
	for name, p := range map[string]m{
		"a patch that is not there": plan(m{"at": "1.0.0/x", "patch": 9}),
		"a negative patch":          plan(m{"at": "1.0.0/x", "patch": -1}),
		"a patch of nothing":        plan(m{"patch": 1}),
	} {
		_, _, err := opened(t, file, p)
		require.ErrorContains(t, err, "does not fit", name)
	}
	for at, says := range map[string]string{
		"../secret": "not a file of a version", "1.0.0/../../secret": "not a file of a version", "1.0.0": "not a file of a version",
		"/etc/passwd": "not a file of a version", "1.0.0/nothing": "no such file", "1.0.0/services": "not a regular file",
	} {
		b, _, err := opened(t, file, plan(m{"at": at}))
		require.NoError(t, err, at)
		got, ok := read(t, b)["bin/tool"].(error)
		require.True(t, ok, at)
		require.ErrorContains(t, got, says, at)
	}
}
