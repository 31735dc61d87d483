package legacyzip_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/legacyzip"
)

func open(t testing.TB, data []byte, limits bundle.Limits) (bundle.Bundle, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	b, err := bundle.Open(path, limits, legacyzip.Format{})
	if err == nil {
		t.Cleanup(func() { require.NoError(t, b.Close()) })
	}
	return b, err
}

// entry is a bundle.Entry with its content read.
type entry struct {
	bundle.Entry
	Data string
}

// contents reads everything; files by path.
func contents(t testing.TB, b bundle.Bundle) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for e, err := range b.Entries() {
		require.NoError(t, err)
		got := entry{Entry: e}
		if e.Type == bundle.File {
			r, err := e.Open()
			require.NoError(t, err)
			data, err := io.ReadAll(r)
			require.NoError(t, err, e.Path)
			require.NoError(t, r.Close())
			require.Len(t, data, int(e.Size))
			got.Data, got.Open = string(data), nil
		}
		all[e.Path] = got
	}
	return all
}

func TestSoundPackage(t *testing.T) {
	b, err := open(t, bundletest.Package("1.2.0").Bytes(), bundle.Limits{})
	require.NoError(t, err)
	require.Equal(t, bundle.Release{Version: "1.2.0", Services: []string{"web-server", "device-api"}}, b.Release())

	all := contents(t, b)
	require.Equal(t, bundle.Totals{Files: 6, Dirs: 6, Bytes: totalBytes(all)}, b.Totals())
	require.NotContains(t, all, "README.txt")
	require.NotContains(t, all, "manifest.json")
	program := all["services/device-api/device-api"]
	require.Equal(t, "#!/bin/sh\necho 1.2.0\n", program.Data)
	require.EqualValues(t, 0o755, program.Mode)
	require.Equal(t, bundle.Link, all["services/device-api/lib/libx.so"].Type)
	require.Equal(t, "libx.so.1", all["services/device-api/lib/libx.so"].Target)
	require.Equal(t, bundle.Dir, all["services/device-api/empty"].Type)
	require.Equal(t, "<p>1.2.0", all["services/web-server/index.html"].Data)
	require.Zero(t, all["bin/tope-tool"].Mode, "the package does not say")
	require.Equal(t, contents(t, b), all, "a second walk sees the same")
}

func totalBytes(all map[string]entry) (n int64) {
	for _, e := range all {
		n += e.Size
	}
	return n
}

// The reader must read packages of other programs. Go's archive/zip streams with data
// descriptors; programs that write large files, or are careful, make ZIP64 records.
func TestSoundVariants(t *testing.T) {
	want := "<p>1.2.0"
	variants := map[string][]byte{
		"with a comment":   withComment(bundletest.Package("1.2.0"), "made by hand").Bytes(),
		"zip64 end":        zip64(bundletest.Package("1.2.0")).Bytes(),
		"archive/zip":      rewritten(t, bundletest.Package("1.2.0").Bytes()),
		"padding of 3":     padded(bundletest.Package("1.2.0")).Bytes(),
		"entries reversed": reversed(bundletest.Package("1.2.0")).Bytes(),
	}
	for name, data := range variants {
		t.Run(name, func(t *testing.T) {
			b, err := open(t, data, bundle.Limits{})
			require.NoError(t, err)
			require.Equal(t, want, contents(t, b)["services/web-server/index.html"].Data)
		})
	}
}

func withComment(z bundletest.Zip, comment string) bundletest.Zip {
	z.Comment = comment
	return z
}

func zip64(z bundletest.Zip) bundletest.Zip {
	z.Zip64 = true
	return z
}

// padded has extra fields as zipalign writes them: less than a field's header.
func padded(z bundletest.Zip) bundletest.Zip {
	for i := range z.Entries {
		z.Entries[i].Extra = []byte{0, 0, 0}
		z.Entries[i].LocalExtra = []byte{0, 0, 0}
	}
	return z
}

// reversed has its directory in the reverse order of its data.
func reversed(z bundletest.Zip) bundletest.Zip {
	z.Central = func(dir []byte) []byte {
		var records [][]byte
		for len(dir) > 0 {
			n := 46 + int(dir[28]) + int(dir[29])<<8 + int(dir[30]) + int(dir[32])
			records = append([][]byte{dir[:n]}, records...)
			dir = dir[n:]
		}
		return bytes.Join(records, nil)
	}
	return z
}

func rewritten(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err, "our own packages are ZIP files to others")
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		h := &zip.FileHeader{Name: f.Name, Method: f.Method}
		h.SetMode(f.Mode())
		dst, err := w.CreateHeader(h)
		require.NoError(t, err)
		src, err := f.Open()
		require.NoError(t, err)
		_, err = io.Copy(dst, src)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestSameSourceTwice(t *testing.T) {
	b, err := open(t, bundletest.Zip{Entries: []bundletest.Entry{
		bundletest.Manifest("1.2.0",
			bundletest.Module{Name: "a", Src: "x", Dst: "/opt/tope/services/a"},
			bundletest.Module{Name: "b", Src: "x/run", Dst: "/usr/local/bin/run"},
			bundletest.Module{Name: "c", Src: "./x/run", Dst: "/opt/tope/tools/"},
			bundletest.Module{Name: "d", Src: "x/run", Dst: "/opt/tope/services/a/again"}),
		{Name: "x/run", Data: []byte("go")},
	}}.Bytes(), bundle.Limits{})
	require.NoError(t, err)
	all := contents(t, b)
	for _, path := range []string{"services/a/run", "bin/run", "tools/run", "services/a/again"} {
		require.Equal(t, "go", all[path].Data, path)
	}
	require.Len(t, all, 4)
}

func TestServicesAndCommands(t *testing.T) {
	mod := func(name, process string, order int, cmds ...string) bundletest.Module {
		return bundletest.Module{Name: name, Src: "x", Dst: "/opt/tope/" + name, ProcessName: process, Order: order, PostCmds: cmds}
	}
	b, err := open(t, bundletest.Zip{Entries: []bundletest.Entry{
		bundletest.Manifest("1.2.0", mod("a", "zeta", 3), mod("b", "", 1, "true"), mod("c", "alpha.service", 3),
			mod("d", "zeta", 9, "false"), mod("e", "first@1", -1)),
		{Name: "x/run", Data: []byte("go")},
	}}.Bytes(), bundle.Limits{})
	require.NoError(t, err)
	require.Equal(t, []string{"first@1", "zeta", "alpha"}, b.Release().Services)
	require.Equal(t, []steps.Command{{Module: "b", Shell: "true"}, {Module: "d", Shell: "false"}}, b.Release().Commands)
}
