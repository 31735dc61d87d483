package pack_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/pack"
)

func anybody([]byte, []byte) error { return nil }

// built packs the sound bundle's files, and returns the directory too.
func built(t *testing.T, change func(dir string)) []byte {
	t.Helper()
	dir, old := t.TempDir(), t.TempDir()
	nativetest.Plant(t, dir, nativetest.Files())
	nativetest.Plant(t, old, nativetest.Old())
	if change != nil {
		change(dir)
	}
	tree, err := pack.Scan(dir, bundle.DefaultLimits())
	require.NoError(t, err)
	base, err := pack.OpenBase(t.Context(), old, t.TempDir(), bundle.DefaultLimits())
	require.NoError(t, err)
	b, err := pack.Build(t.Context(), pack.Options{
		Tree: tree, Release: nativetest.Release(), Bases: []*pack.Base{base}, Limits: bundle.DefaultLimits(), Scratch: t.TempDir(),
	})
	require.NoError(t, err)
	var out bytes.Buffer
	n, err := b.WriteTo(&out)
	require.NoError(t, err)
	require.Equal(t, int64(out.Len()), n)
	return out.Bytes()
}

func written(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "release.tope")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestTheSameTreeGivesTheSameBytes(t *testing.T) {
	first := built(t, nil)
	require.Equal(t, first, built(t, nil))
	// modes gives every file another mode, by what programs and others get.
	modes := func(program, other os.FileMode) func(string) {
		return func(dir string) {
			for name := range nativetest.Files() {
				path := filepath.Join(dir, name)
				mode := other
				if filepath.Dir(name) == "bin" {
					mode = program
				}
				require.NoError(t, os.Chmod(path, mode))
				require.NoError(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(2, 0)))
			}
		}
	}
	require.Equal(t, first, built(t, modes(0o775, 0o664)), "the write bits of another umask")
	require.Equal(t, first, built(t, modes(0o555, 0o444)), "as an installed version has them")
	require.NotEqual(t, first, built(t, modes(0o755, 0o600)), "who may read it belongs to a file")
	require.NotEqual(t, first, built(t, func(dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "services/app/new"), []byte("other"), 0o600))
	}))
}

// archive/tar finds each member where the layout says it lies.
func TestTheLayoutIsTheTars(t *testing.T) {
	file := nativetest.New(t).Make(t, nativetest.Edit{})
	o, err := pack.Open(written(t, file), bundle.DefaultLimits(), anybody)
	require.NoError(t, err)
	defer o.Close()
	type member struct {
		name string
		span native.Span
	}
	want := []member{{native.ReleaseName, native.Span{Offset: 512, Length: int64(len(o.Packed))}}}
	want = append(want, member{native.SignatureName, native.Span{Offset: o.Size - (int64(len(o.Signature))+511)/512*512, Length: int64(len(o.Signature))}})
	want = append(want, member{native.SolidName, o.Layout.Solid})
	for i, c := range o.Release.Contents() {
		want = append(want, member{native.AlonePrefix + c.SHA256 + ".zst", o.Layout.Alone[i]})
	}
	want = append(want, member{native.PatchesName, o.Layout.Patches[0]})
	in := bytes.NewReader(file)
	r := tar.NewReader(in)
	var got []member
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		at, err := in.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		got = append(got, member{h.Name, native.Span{Offset: at, Length: h.Size}})
	}
	require.Equal(t, want, got)
	require.Equal(t, int64(len(file)), o.Layout.Total)
}

// Check or the signature finds a change to any byte of a bundle.
func TestCheckFindsEachFlippedByte(t *testing.T) {
	kit := nativetest.New(t)
	file := kit.Make(t, nativetest.Edit{})
	old := t.TempDir()
	nativetest.Plant(t, old, nativetest.Old())
	base, err := pack.OpenBase(t.Context(), old, t.TempDir(), bundle.DefaultLimits())
	require.NoError(t, err)
	public := kit.Key.Public().(minisign.PublicKey)
	check := func(data []byte) error {
		o, err := pack.Open(written(t, data), bundle.DefaultLimits(), func(packed, signature []byte) error {
			if !minisign.Verify(public, packed, signature) {
				return errors.New("not signed")
			}
			return nil
		})
		if err != nil {
			return err
		}
		defer o.Close()
		return o.Check(t.Context(), []*pack.Base{base}, nil)
	}
	require.NoError(t, check(file))
	random := rand.New(rand.NewPCG(1, 2))
	comment := bytes.Index(file, []byte("untrusted comment: "))
	for range 400 {
		at := random.IntN(len(file))
		if at >= comment && at < comment+60 {
			continue // no device trusts it
		}
		bad := bytes.Clone(file)
		bad[at] ^= byte(1 + random.IntN(255))
		require.Error(t, check(bad), "byte %d of %d", at, len(file))
	}
}

func TestUnpackGivesTheFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, pack.Unpack(t.Context(), written(t, built(t, nil)), dir, bundle.DefaultLimits()))
	for name, want := range nativetest.Files() {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

func TestResignChangesTheSignatureAlone(t *testing.T) {
	kit := nativetest.New(t)
	from := written(t, built(t, nil))
	to := filepath.Join(t.TempDir(), "signed.tope")
	require.NoError(t, pack.Resign(from, to, kit.Key, bundle.DefaultLimits()))
	was, err := pack.Open(from, bundle.DefaultLimits(), anybody)
	require.NoError(t, err)
	defer was.Close()
	o, err := pack.Open(to, bundle.DefaultLimits(), anybody)
	require.NoError(t, err)
	defer o.Close()
	require.Equal(t, was.Packed, o.Packed)
	require.Equal(t, native.Unsigned, string(was.Signature))
	require.True(t, minisign.Verify(kit.Key.Public().(minisign.PublicKey), o.Packed, o.Signature))
	require.NoError(t, o.Check(t.Context(), nil, nil))
}

func TestScanRefusesWhatNoDeviceTakes(t *testing.T) {
	for says, plant := range map[string]func(dir string) error{
		"only files, directories": func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600) },
		"leads out":               func(dir string) error { return os.Symlink("../../x", filepath.Join(dir, "link")) },
		"not relative":            func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, "link")) },
		"without its execute bit": func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.WriteFile(filepath.Join(dir, "bin/x"), []byte("#!/bin/sh\n"), 0o600))
		},
		"setuid": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), os.Chmod(filepath.Join(dir, "x"), 0o755|os.ModeSetuid))
		},
		"more than the":     func(dir string) error { return os.WriteFile(filepath.Join(dir, "x"), make([]byte, 2<<10), 0o600) },
		"has the character": func(dir string) error { return os.WriteFile(filepath.Join(dir, "a\nb"), nil, 0o600) },
	} {
		dir := t.TempDir()
		require.NoError(t, plant(dir))
		limits := bundle.DefaultLimits()
		limits.File = 1 << 10
		_, err := pack.Scan(dir, limits)
		var problems pack.Problems
		require.ErrorAs(t, err, &problems, says)
		require.ErrorContains(t, err, says)
	}
}

// Small contents are patched as well as large ones.
func TestAPatchForASmallContentCanBeApplied(t *testing.T) {
	dir, old := t.TempDir(), t.TempDir()
	text := nativetest.Noise(200, 7)
	nativetest.Plant(t, old, map[string][]byte{"f": text})
	nativetest.Plant(t, dir, map[string][]byte{"f": append(bytes.Clone(text), '!')})
	tree, err := pack.Scan(dir, bundle.DefaultLimits())
	require.NoError(t, err)
	base, err := pack.OpenBase(t.Context(), old, t.TempDir(), bundle.DefaultLimits())
	require.NoError(t, err)
	b, err := pack.Build(t.Context(), pack.Options{
		Tree: tree, Release: nativetest.Release(), Bases: []*pack.Base{base}, Limits: bundle.DefaultLimits(), Scratch: t.TempDir(),
	})
	require.NoError(t, err)
	require.Len(t, b.Release.Payload.Patches, 1)
	path := filepath.Join(t.TempDir(), "x.tope")
	require.NoError(t, b.WriteFile(path))
	o, err := pack.Open(path, bundle.DefaultLimits(), anybody)
	require.NoError(t, err)
	defer o.Close()
	require.NoError(t, o.Check(t.Context(), []*pack.Base{base}, nil))
}
