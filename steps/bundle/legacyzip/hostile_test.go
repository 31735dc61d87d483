package legacyzip_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/legacyzip"
)

// refusal is a package that must be refused: when it is opened or, if its lie is in the
// data, when it is read.
type refusal struct {
	name, says string
	data       []byte
	limits     bundle.Limits
}

func refused(name, says string, data []byte, limits ...bundle.Limits) refusal {
	r := refusal{name: name, says: says, data: data}
	if len(limits) > 0 {
		r.limits = limits[0]
	}
	return r
}

func TestHostilePackages(t *testing.T) {
	requireRefused(t, steps.InvalidPackage, hostilePackages())
}

func TestHostileManifests(t *testing.T) {
	requireRefused(t, steps.InvalidManifest, hostileManifests())
}

func requireRefused(t *testing.T, code steps.Code, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := open(t, c.data, c.limits)
			if err == nil {
				err = readAll(b)
			}
			require.Error(t, err)
			e := steps.AsError(err)
			require.Equal(t, [2]any{steps.Refused, code}, [2]any{e.Class, e.Code}, "%v", err)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func readAll(b bundle.Bundle) error {
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		if e.Type != bundle.File {
			continue
		}
		r, err := e.Open()
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		if n != e.Size {
			return fmt.Errorf("%s: %d bytes, declared %d", e.Path, n, e.Size)
		}
	}
	return nil
}

// When one bit of any byte of a package is changed, the package is refused, or its files
// have the same content as before. There is no third result, and no panic.
func TestEveryByteChanged(t *testing.T) {
	sound := bt.Package("1.2.0").Bytes()
	b, err := open(t, sound, bundle.Limits{})
	require.NoError(t, err)
	want := contents(t, b)
	path := filepath.Join(t.TempDir(), "bundle")
	for i := range sound {
		data := bytes.Clone(sound)
		data[i] ^= 1 << (i % 8)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		b, err := bundle.Open(path, bundle.Limits{}, legacyzip.Format{})
		if err != nil {
			continue
		}
		if readAll(b) == nil {
			for path, e := range contents(t, b) {
				if was := want[path]; was.Type == e.Type && was.Data != "" && was.Data != e.Data {
					t.Fatalf("byte %d: %s has another content and nobody noticed", i, path)
				}
			}
		}
		require.NoError(t, b.Close())
	}
}

// The strict reader accepts no package that the standard library would read differently.
func requireSameAsStandard(t *testing.T, data []byte, b bundle.Bundle) {
	t.Helper()
	std, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if errors.Is(err, zip.ErrInsecurePath) {
		err = nil
	}
	require.NoError(t, err, "accepted here, but not by archive/zip")
	files := map[string]int{}
	for _, f := range std.File {
		r, err := f.Open()
		if err != nil {
			continue
		}
		content, err := io.ReadAll(r)
		if err == nil {
			files[string(content)]++
		}
	}
	for e, err := range b.Entries() {
		if err != nil {
			return
		}
		if e.Type != bundle.File {
			continue
		}
		r, err := e.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, r.Close())
		if err == nil {
			require.Positive(t, files[string(content)], "%s has a content that archive/zip does not find", e.Path)
		}
	}
}
