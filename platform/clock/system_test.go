package clock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func proc(t *testing.T, bootID, stat string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sys/kernel/random"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "1"), 0o755))
	if bootID != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sys/kernel/random/boot_id"), []byte(bootID), 0o644))
	}
	if stat != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "1/stat"), []byte(stat), 0o644))
	}
	return dir
}

func TestReadBoot(t *testing.T) {
	const tail = " S 0 1 1 0 -1 4194560 39 1 2 0 11 12 13 14 20 0 1 0 4711 1000 200 1844\n"
	for _, c := range []struct {
		name, bootID, stat string
		want, err          string
	}{
		{"kernel id and start time", "0d7c\n", "1 (systemd)" + tail, "0d7c.4711", ""},
		{"a hostile program name", "0d7c\n", "1 (a) b (c)" + tail, "0d7c.4711", ""},
		{"PID 1 hidden", "0d7c\n", "", "0d7c", ""},
		{"no boot id", "", "1 (init)" + tail, "", "read the boot id"},
		{"empty boot id", "\n", "1 (init)" + tail, "", "the boot id is empty"},
		{"stat cut short", "0d7c\n", "1 (init) S 0 1", "", "fields behind"},
		{"stat without a name", "0d7c\n", "nonsense", "", "no program name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readBoot(proc(t, c.bootID, c.stat), "/nowhere")
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestBootOfAContainer: an id mounted over the kernel's does not change the answer.
func TestBootOfAContainer(t *testing.T) {
	const stat = "1 (systemd) S 0 1 1 0 -1 4194560 39 1 2 0 11 12 13 14 20 0 1 0 4711 1000 200 1844\n"
	file := filepath.Join(t.TempDir(), "container")
	require.NoError(t, os.WriteFile(file, []byte("systemd-nspawn"), 0o644))
	require.NoError(t, os.Chtimes(file, time.Unix(0, 0x1234), time.Unix(0, 0x1234)))
	for _, id := range []string{"0d7c", "4f3e"} {
		got, err := readBoot(proc(t, id, stat), file)
		require.NoError(t, err)
		require.Equal(t, "container-1234.4711", got)
	}
	require.NoError(t, os.Chtimes(file, time.Unix(0, 0x1235), time.Unix(0, 0x1235)))
	got, err := readBoot(proc(t, "0d7c", stat), file)
	require.NoError(t, err)
	require.Equal(t, "container-1235.4711", got)
}

func TestSystemIsTheKernelsClock(t *testing.T) {
	a, b := System(), System()
	require.NotEqual(t, UnknownBoot, a.Boot())
	require.Equal(t, a.Boot(), b.Boot(), "two clocks of one boot agree")
	first := a.Monotonic()
	require.Positive(t, first)
	require.GreaterOrEqual(t, b.Monotonic(), first)
}

func TestSleepEndsWithItsContext(t *testing.T) {
	cause := errors.New("the device is shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	require.ErrorIs(t, Sleep(ctx, System(), time.Hour), cause)
	require.ErrorIs(t, Sleep(ctx, System(), 0), cause)
	require.NoError(t, Sleep(context.Background(), System(), time.Nanosecond))
}
