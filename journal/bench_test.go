package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
)

// BenchmarkAppend is one transition (an outcome, the state it leads to and the
// next intent) against its floor: two fdatasyncs, each after overwriting 4 KiB
// of a preallocated file on the same file system. The two take turns, so that
// what else the disk does meets both. x-floor is the ratio of the medians.
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Clock: clocktest.New(), Create: true})
	require.NoError(b, err)
	for n := range 100 {
		runUpdate(b, j, fmt.Sprintf("u%03d", n))
	}
	floor := newFloor(b, dir)

	var floors, appends []time.Duration
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprintf("open-%d", n/len(story))
		if n%len(story) == 0 {
			// Not measured: it opens the next update, because a real update ends
			// some time.
			if _, err := j.Append(acceptRecord(id)); err != nil {
				b.Fatal(err)
			}
		}
		at := time.Now()
		floor()
		mid := time.Now()
		if _, err := j.Append(transition(id, n)...); err != nil {
			b.Fatal(err)
		}
		floors, appends = append(floors, mid.Sub(at)), append(appends, time.Since(mid))
	}
	slices.Sort(floors)
	slices.Sort(appends)
	f, a := floors[len(floors)/2], appends[len(appends)/2]
	b.ReportMetric(float64(f.Nanoseconds()), "ns/floor")
	b.ReportMetric(float64(a.Nanoseconds()), "ns/append")
	b.ReportMetric(float64(a)/float64(f), "x-floor")
}

// newFloor returns a function that does the least work of a durable
// transaction.
func newFloor(b *testing.B, dir string) func() {
	f, err := os.Create(filepath.Join(dir, "floor"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = f.Close() })
	_, err = f.Write(make([]byte, journal.DefaultPreallocate))
	require.NoError(b, err)
	require.NoError(b, f.Sync())
	page := make([]byte, 4096)
	n := int64(0)
	return func() {
		for range 2 {
			n++
			page[0]++
			if _, err := f.WriteAt(page, n*4096%journal.DefaultPreallocate); err != nil {
				b.Fatal(err)
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkOpen is opening and closing a journal of 100 updates.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "journal.db")
	opt := journal.Options{Clock: clocktest.New(), Create: true}
	j, err := journal.Open(path, opt)
	require.NoError(b, err)
	for n := range 100 {
		runUpdate(b, j, fmt.Sprintf("u%03d", n))
	}
	require.NoError(b, j.Close())
	for b.Loop() {
		j, err := journal.Open(path, opt)
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
