package download

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// little is a file system of so many megabytes, which is unmounted at the test's end.
func little(t *testing.T, size string) string {
	t.Helper()
	roottest.Need(t, "a mount")
	dir := t.TempDir()
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "size="+size))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// A download leaves the reserve alone, whether its size is known or not, and says how
// much room there is, how much of it stays free, and how much is missing.
func TestDownloadsLeaveTheReserveAlone(t *testing.T) {
	b := bundleOf(7<<20, 1)
	for name, c := range map[string]struct {
		reserve, stays uint64
		length         int // as the server announces it; -1 for not at all
		says           string
	}{
		"known":               {0, 4 << 20, len(b), "free 3.2 MB"},
		"unknown":             {0, 4 << 20, -1, "stay free ([download] reserve)"},
		"unknown, configured": {6 << 20, 6 << 20, -1, "6.3 MB of them stay free"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(k talk) {
				k.s.clk.Advance(time.Minute)
				if c.length < 0 {
					k.chunks("", true, b)
					return
				}
				k.file(b, tag, -1)
			})
			task := newTask(t, at(s.url()))
			task.WorkDir = little(t, "8m")
			step := stepFor(s.clk, func(cfg *Config) { cfg.Reserve = c.reserve })
			require.Contains(t, stepstest.Fails(t, step, task, steps.Local, steps.DiskFull), c.says)
			left, err := disk.Available(task.WorkDir)
			require.NoError(t, err)
			require.GreaterOrEqual(t, left.Bytes, c.stays)
			info, err := os.Stat(filepath.Join(task.WorkDir, PartFile))
			require.NoError(t, err)
			require.Equal(t, c.length < 0, info.Size() > 0)

			require.NoError(t, unix.Mount("none", task.WorkDir, "tmpfs", unix.MS_REMOUNT, "size=32m"))
			again := stepstest.Again(task)
			out, err := do(t, step, again)
			require.NoError(t, err)
			requireBundle(t, again, b, out)
		})
	}
}

// Others write to the file system, too, while pieces are fetched.
func TestPiecesLeaveTheReserveAlone(t *testing.T) {
	h := published(12<<20, [2]int64{2048, 3 << 20}, [2]int64{6 << 20, 3 << 20})
	server := publish(t, always(h.b), nil)
	task := newTask(t, at(server.URL+"/x"))
	task.WorkDir = little(t, "16m")
	asked := 0
	step := partialStep(h, func(c *Config) {
		c.Preflight = func(path string, bytes, inodes uint64) error {
			if asked++; asked == 3 {
				require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, "other"), make([]byte, 10<<20), 0o600))
			}
			return disk.Preflight(path, bytes, inodes)
		}
	})
	require.Contains(t, stepstest.Fails(t, step, task, steps.Local, steps.DiskFull), "stay free")
	require.NoError(t, os.Remove(filepath.Join(task.WorkDir, "other")))
	out, err := do(t, step, task)
	require.NoError(t, err)
	requirePieces(t, h, task, out)
}

func TestDefaultReserve(t *testing.T) {
	for size, want := range map[string]uint64{"8m": 4 << 20, "400m": 20 << 20, "2g": 64 << 20} {
		got, err := DefaultReserve(little(t, size))
		require.NoError(t, err)
		require.Equal(t, want, got, size)
	}
	small := disktest.NewExt4(t, 8<<20)
	size, err := disk.Capacity(small.Dir)
	require.NoError(t, err)
	require.InDelta(t, 8<<20, size, 2<<20)
	_, err = DefaultReserve(filepath.Join(small.Dir, "gone"))
	require.ErrorIs(t, err, unix.ENOENT)
}

func TestMegabytes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0.0 MB", 1: "0.1 MB", 1_950_001: "2.0 MB", 64 << 20: "67.2 MB"} {
		require.Equal(t, want, megabytes(n))
	}
}
