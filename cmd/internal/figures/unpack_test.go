package figures_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/background"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// plant writes a tree.
func plant(b *testing.B, dir string, files map[string][]byte) string {
	b.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		require.NoError(b, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(b, os.WriteFile(path, files[name], 0o644))
	}
	return dir
}

// unpack: the way from a downloaded bundle to a version on the disk, nothing to
// reuse, against the bare work: decompressing the same member with the same
// decoder into the same files, SHA-256 of each, and syncfs.
func unpack(b *testing.B, l *lab) []row {
	publish := newPublisher(b, l)
	// A higher level would make fewer bytes, but both sides read the same ones.
	publish.level = 3
	server := serveCounted(b)
	files := ordinary().Files
	for i := range 20 { // much in common, so that the solid member is the smaller way
		files[fmt.Sprintf("services/small/%02d", i)] = append(random(8)[:30000], byte(i))
	}
	path := publish.pack(b, plant(b, b.TempDir(), files), hundredMB, 1)
	o, err := pack.Open(path, bundle.DefaultLimits(), func([]byte, []byte) error { return nil })
	require.NoError(b, err)
	solid := o.Layout.Solid
	require.NoError(b, o.Close())
	var ours, floor []time.Duration
	for range 7 {
		d := l.bootSigned(b, publish, "")
		got := d.take(b, server, path, hundredMB)
		require.True(b, got.Solid)
		ours = append(ours, got.applied)
		d.scrap(b)
		floor = append(floor, l.bareUnpack(b, path, solid))
	}
	return []row{against("unpack", "verify and extract a 100 MB bundle, against zstd, SHA-256, syncfs", median(ours), median(floor), 1.3)}
}

// bareUnpack has another process do the work; that process tells how long it took.
func (l *lab) bareUnpack(b *testing.B, path string, solid native.Span) time.Duration {
	b.Helper()
	dir, err := os.MkdirTemp(l.dir, "bare-")
	require.NoError(b, err)
	out, err := role(roleUnpack, "FIGURES_PATH="+path, "FIGURES_DIR="+dir, fmt.Sprintf("FIGURES_SPAN=%d %d", solid.Offset, solid.Length)).Output()
	require.NoError(b, err)
	d, err := time.ParseDuration(string(out))
	require.NoError(b, err)
	require.NoError(b, os.RemoveAll(dir))
	require.NoError(b, disk.SyncFS(b.Context(), l.dir))
	return d
}

func playUnpack() int {
	began := time.Now()
	// The bare work has the low priority of the updater: other load on the
	// machine must slow both alike.
	err := background.Run(func() error {
		return unpackBare(os.Getenv("FIGURES_PATH"), os.Getenv("FIGURES_SPAN"), os.Getenv("FIGURES_DIR"))
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Print(time.Since(began))
	return 0
}

func unpackBare(path, span, dir string) error {
	var offset, length int64
	if _, err := fmt.Sscan(span, &offset, &length); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var dec native.Decoder
	defer dec.Close()
	r, err := dec.Reader(io.NewSectionReader(f, offset, length))
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		sum := sha256.New()
		part := io.LimitReader(r, fileSize)
		out, err := os.Create(filepath.Join(dir, fmt.Sprint(n)))
		if err != nil {
			return err
		}
		size, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(out, sum)}, struct{ io.Reader }{part}, make([]byte, 128<<10))
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
		_ = hex.EncodeToString(sum.Sum(nil))
		if size == 0 {
			return disk.SyncFS(context.Background(), dir)
		}
	}
}

// patched: the memory that a patch of a large file takes; and a device whose cap
// forbids the patch fetches the whole file.
func patched(b *testing.B, l *lab) []row {
	const size = 20 * mega
	publish := newPublisher(b, l)
	server := serveCounted(b)
	large := slices.Concat(prose(1), random(2), prose(3), random(4))
	require.Len(b, large, size)
	// The file beside it stays the same, so that less than everything is worth fetching.
	tree := func(large []byte) string {
		return plant(b, b.TempDir(), map[string][]byte{"bin.dat": large, "same.dat": random(5)})
	}
	before := publish.pack(b, tree(large), "1.0.1", 1)
	after := publish.pack(b, tree(edited(large)), "1.0.2", 2, before)
	var most installed
	for range 5 {
		d := l.bootSigned(b, publish, "")
		d.take(b, server, before, "1.0.1")
		got := d.take(b, server, after, "1.0.2")
		require.Equal(b, 1, got.Patched)
		if got.peak > most.peak {
			most = got
		}
		d.scrap(b)
	}
	d := l.bootSigned(b, publish, "[download]\nmax_patch = 16777216\n")
	d.take(b, server, before, "1.0.1")
	capped := d.take(b, server, after, "1.0.2")
	d.scrap(b)
	require.Zero(b, capped.Patched, "a device patched a file that is larger than its cap")
	require.Equal(b, int64(size), capped.AloneBytes)
	return []row{
		{what: "peak memory (VmHWM) of serve, a 20 MB file patched", metric: "B-patched", ours: quantity{most.peak, mebibytes}, reach: 64 * mebi},
		{what: "the same where the cap forbids the patch: the file fetched whole", metric: "B-capped", ours: quantity{capped.peak, mebibytes}, reach: 64 * mebi},
	}
}

// edited is data with a word changed every 50 kB, and some bytes
// inserted before its second half.
func edited(data []byte) []byte {
	out := slices.Clone(data)
	for at := 0; at < len(out); at += 50000 {
		copy(out[at:], "edited")
	}
	half := len(out) / 2
	copy(out[half+100:], out[half:])
	copy(out[half:], random(9)[:100])
	return out
}
