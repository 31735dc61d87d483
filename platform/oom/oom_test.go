package oom_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/oom"
)

func TestKills(t *testing.T) {
	const v2 = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0\n"
	for name, tt := range map[string]struct {
		groups, file, counts string
		want                 int64
		wrong                string
	}{
		"version 2":           {"0::/system.slice/tope-updater.service\n", "system.slice/tope-updater.service/memory.events", v2, 2, ""},
		"version 2, its root": {"0::/\n", "memory.events", "oom_kill 0\n", 0, ""},
		"version 1": {
			"3:cpu,cpuacct:/a\n2:memory:/system.slice/tope-updater.service\n1:name=systemd:/b\n0::/c\n",
			"memory/system.slice/tope-updater.service/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1, "",
		},
		"no controller":    {"1:name=systemd:/b\n", "b/memory.events", v2, 0, "it names none"},
		"an older kernel":  {"0::/a\n", "a/memory.events", "low 0\nmax 1\n", 0, "no oom_kill"},
		"not a number":     {"0::/a\n", "a/memory.events", "oom_kill x\n", 0, "invalid syntax"},
		"no file":          {"0::/a\n", "b", "", 0, "no such file"},
		"outside the view": {"0::/../../a\n", "a/memory.events", v2, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(path, text string) {
				path = filepath.Join(root, path)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			write("proc/self/cgroup", tt.groups)
			write("sys/fs/cgroup/"+tt.file, tt.counts)
			n, err := oom.Kills(root)
			if tt.wrong != "" {
				require.ErrorContains(t, err, tt.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, n)
		})
	}
}

// The kernel that the tests run on counts, too, in whatever version of the groups.
func TestKillsHere(t *testing.T) {
	n, err := oom.Kills("/")
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, int64(0))
}
