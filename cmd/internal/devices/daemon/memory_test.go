package daemon_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

// noise does not compress.
func noise(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data) // it never fails
	return data
}

// limited gives the daemon's processes no more memory than bytes, the page cache
// they cause included. The function it returns logs the peak.
func limited(t *testing.T, d *devicetest.Device, bytes int64) (peak func()) {
	t.Helper()
	const v1 = "/sys/fs/cgroup/memory"
	if _, err := os.Stat(v1); err != nil {
		return func() { t.Log("peak:", d.Property(devicetest.Daemon, "MemoryCurrent")) } // systemd limits it itself
	}
	dir := filepath.Join(v1, d.Name())
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), []byte(strconv.FormatInt(bytes, 10)), 0o644))
	host := ""
	for child := range strings.FieldsSeq(readFile(t, "/proc/"+strconv.Itoa(d.Leader())+"/task/"+strconv.Itoa(d.Leader())+"/children")) {
		if comm, err := os.ReadFile("/proc/" + child + "/comm"); err == nil && strings.TrimSpace(string(comm)) == "tope-updater" {
			host = child
		}
	}
	require.NotEmpty(t, host)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(host), 0o644))
	// The directory can be removed once the machine is gone. Its clean-up comes
	// before this one, and the kernel lets go of the directory a moment later.
	t.Cleanup(func() {
		d.Kill()
		for deadline := time.Now().Add(5 * time.Second); os.Remove(dir) != nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() {
		t.Log("peak with page cache:", strings.TrimSpace(readFile(t, filepath.Join(dir, "memory.max_usage_in_bytes"))),
			"failures to get more:", strings.TrimSpace(readFile(t, filepath.Join(dir, "memory.failcnt"))))
		require.Contains(t, readFile(t, filepath.Join(dir, "memory.oom_control")), "oom_kill 0")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
