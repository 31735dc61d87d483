package extract_test

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/extract"
)

// packageOf has files of size bytes each, one half of each incompressible.
func packageOf(files, size int) bundletest.Zip {
	random := rand.New(rand.NewPCG(1, 2))
	z := bundletest.App()
	for i := range files {
		data := make([]byte, size)
		for at := range data {
			if at/4096%2 == 0 {
				data[at] = byte(random.Uint32())
			} else {
				data[at] = "half of it can be compressed "[at%29]
			}
		}
		z.Entries = append(z.Entries, bundletest.Entry{Name: fmt.Sprintf("app/d%d/f%d", i%100, i), Mode: bundletest.Regular, Data: data})
	}
	return z
}

// bare is the least work possible: archive/zip, no check, no digest, one syncfs.
func bare(bundle, to string) error {
	r, err := zip.OpenReader(bundle)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		path := filepath.Join(to, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return disk.SyncFS(context.Background(), to)
}

// BenchmarkExtract measures the time of extracting. As ratio it shows how many times
// longer that takes than a bare unzip and syncfs of the same package in the same run.
func BenchmarkExtract(b *testing.B) {
	for _, c := range []struct{ files, size int }{{20, 5 << 20}, {1, 64 << 20}, {20_000, 1 << 10}} {
		b.Run(fmt.Sprintf("%dx%dKiB", c.files, c.size>>10), func(b *testing.B) {
			w := newWorld(b, packageOf(c.files, c.size))
			w.task.Release.Version = "1.2.0"
			step := extract.New(w.cfg)
			b.SetBytes(int64(c.files) * int64(c.size))
			var floor, ours time.Duration
			for b.Loop() {
				dir := filepath.Join(w.dev.Dir(), ".bare")
				start := time.Now()
				require.NoError(b, bare(filepath.Join(w.task.WorkDir, "bundle"), dir))
				floor += time.Since(start)
				require.NoError(b, os.RemoveAll(dir))
				require.NoError(b, disk.SyncFS(b.Context(), w.dev.Dir()))

				start = time.Now()
				_, err := step.Do(b.Context(), w.task)
				require.NoError(b, err)
				ours += time.Since(start)
				require.NoError(b, step.Undo(b.Context(), w.task))
				require.NoError(b, disk.SyncFS(b.Context(), w.dev.Dir()))
			}
			b.ReportMetric(float64(ours)/float64(floor), "ratio")
			b.ReportMetric(ours.Seconds()/float64(b.N), "s/extract")
			b.ReportMetric(floor.Seconds()/float64(b.N), "s/bare")
		})
	}
}
