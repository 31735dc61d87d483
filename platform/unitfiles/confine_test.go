package unitfiles_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/unitfiles"
)

// shipped is the daemon's unit.
func shipped(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../deploy/systemd/tope-updater.service")
	require.NoError(t, err)
	return text
}

func TestWhatTheDaemonsUnitAllows(t *testing.T) {
	everywhere := func(path string) (string, bool) { return path, true }
	unit := func(dropIn string) unitfiles.Confined {
		return unitfiles.Confine(unitfiles.DaemonUnit, shipped(t), []byte("[Service]\n"+dropIn))
	}
	c := unit("")
	for path, want := range map[string]bool{
		"/opt/tope/versions": true, "/opt/tope": true, "/usr/local/bin": true, "/etc/systemd/system": true, "/usr/lib/tope-updater": true,
		"/var/lib/tope-updater": true, "/run/tope-updater": true, "/etc/tope-updater/keys": true, "/dev/shm": true,
		"/opt/topeless": false, "/opt": false, "/data": false, "/usr/local": false, "/run/edge": false, "/etc": false, "/home/tope": false, "/": false,
	} {
		require.Equal(t, want, c.Writes(path, everywhere), path)
	}
	for path, want := range map[string]bool{"/tmp": true, "/tmp/x": true, "/var/tmp/x": true, "/home/x": false, "/root/x": false, "/run/user/1000/bus": true, "/data": false, "/tmpfs": false} {
		require.Equal(t, want, c.Hides(path), path)
	}
	require.EqualValues(t, 96<<20, c.Memory)
	require.True(t, c.Has("CAP_CHOWN"))
	require.False(t, c.Has("CAP_NET_BIND_SERVICE"))

	require.True(t, unit(`ReadWritePaths=-"/my data"`).Writes("/my data/x", everywhere), "quoted")
	require.False(t, unit("ReadWritePaths=-/data").Writes("/data", func(path string) (string, bool) { return path, false }), "what is not there cannot be opened")
	require.False(t, unit("ReadWritePaths=/data\nReadOnlyPaths=/data/keys").Writes("/data/keys/x", everywhere), "the longest path counts")
	require.False(t, unit("ReadWritePaths=\n").Writes("/opt/tope", everywhere), "an empty value cancels those before")
	require.True(t, unit("ReadWritePaths=/tmp/x").Hides("/tmp/x"), "of its own /tmp it may write")
	require.False(t, unit("BindPaths=/tmp/x").Hides("/tmp/x/y"))
	require.True(t, unit("BindPaths=/tmp/x").Binds("/tmp/x/y") && !c.Binds("/tmp/x") && !c.Binds("/data"))

	led := func(path string) (string, bool) {
		to, is := map[string]string{"/opt/tope": "/disk/tope", "/srv": "/disk/srv"}[path]
		if !is {
			to = path
		}
		return to, true
	}
	require.True(t, c.Writes("/disk/tope/versions", led), "systemd follows the link of its setting")
	require.False(t, c.Writes("/opt/tope/versions", led), "nothing is there any more")
	require.False(t, c.Writes("/disk/versions", led), "a link out of the directory leads out of what is allowed")
	require.True(t, unit("ReadWritePaths=-/srv").Writes("/disk/srv/versions", led))
	require.True(t, unit("ProtectHome=yes").Hides("/home/x"), "also where it is bound itself")
	require.False(t, unit("ProtectHome=yes\nBindPaths=/home/x").Hides("/home/x"))
	require.True(t, unit("BindReadOnlyPaths=").Hides("/home/x"))
	require.True(t, unit("CapabilityBoundingSet=CAP_NET_BIND_SERVICE").Has("CAP_NET_BIND_SERVICE"))
	require.EqualValues(t, 3<<30, unit("MemoryMax=3G").Memory)
	require.EqualValues(t, math.MaxInt64, unit("MemoryMax=infinity").Memory)
	free := unitfiles.Confine("plain.service", []byte("[Service]\nExecStart=/bin/true\n"))
	require.True(t, free.Writes("/data", everywhere) && !free.Hides("/tmp") && free.Has("CAP_SYS_ADMIN"))
}

// What Needs has written, Confine allows: the two know the same rules.
func TestTheDropInsAllowWhatIsNeeded(t *testing.T) {
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	needs := unitfiles.Needs{
		Writes: []string{"/data/versions", "/home/tope/state", "/tmp/shared", `/a "b" 100%`}, Reads: []string{"/var/tmp/keys", "/data/keys"},
		Run: "/run/edge/updater", Socket: "/run/edge/updater/api.sock", LowPort: true, Memory: 200 << 20,
	}
	s := unitfiles.New(unitfiles.Config{Root: root, Tree: func(v string) string { return filepath.Join(root.Dir(), v) }, Needs: needs})
	due, err := s.OwnDue()
	require.NoError(t, err)
	require.Equal(t, unitfiles.OwnUnits(), due)
	done, err := s.Complete("")
	require.NoError(t, err)
	require.Len(t, done.Changes, len(due))
	require.True(t, done.Own())
	due, err = s.OwnDue()
	require.NoError(t, err)
	require.Empty(t, due)

	read := func(unit string) []byte {
		text, err := os.ReadFile(filepath.Join(root.Dir(), "etc/systemd/system", unit+".d/50-tope-updater.conf"))
		require.NoError(t, err)
		return text
	}
	c := unitfiles.Confine(unitfiles.DaemonUnit, shipped(t), read(unitfiles.DaemonUnit))
	everywhere := func(path string) (string, bool) { return path, true }
	for _, path := range append(needs.Writes, needs.Run) {
		require.True(t, c.Writes(path, everywhere), path)
		require.False(t, c.Hides(path), path)
	}
	require.False(t, c.Hides("/var/tmp/keys"))
	require.True(t, c.Has("CAP_NET_BIND_SERVICE"))
	require.EqualValues(t, 200<<20, c.Memory)
	const mounts = "# Written by tope-updater (see its verb units). Changes here are lost.\n[Unit]\nRequiresMountsFor=/data/versions\nRequiresMountsFor=/home/tope/state\nRequiresMountsFor=/tmp/shared\n" +
		`RequiresMountsFor="/a \"b\" 100%%"` + "\nRequiresMountsFor=/var/tmp/keys\nRequiresMountsFor=/data/keys\n"
	const writes = "[Service]\nReadWritePaths=-/data/versions\nReadWritePaths=-/home/tope/state\n" + `ReadWritePaths="-/a \"b\" 100%%"` + "\nReadWritePaths=-/run/edge/updater\n"
	require.Equal(t, mounts, string(read(unitfiles.RecoverUnit)))
	require.Equal(t, mounts+writes, string(read(unitfiles.RescueUnit)))
	for _, unit := range []string{unitfiles.RecoverUnit, unitfiles.RescueUnit} {
		text, err := os.ReadFile("../../deploy/systemd/" + unit)
		require.NoError(t, err)
		c := unitfiles.Confine(unit, text, read(unit))
		for _, path := range append(needs.Writes, needs.Run, "/opt/tope/versions", "/var/lib/tope-updater/journal.db", "/usr/local/bin/x", "/etc/systemd/system/x", "/usr/lib/tope-updater/x", "/tmp/shared/x") {
			require.True(t, c.Writes(path, everywhere), "%s: %s", unit, path)
			require.False(t, c.Hides(path), "%s: %s", unit, path)
		}
		// At boot, nothing is mounted for recovery.
		require.Equal(t, unit == unitfiles.RecoverUnit, c.Writes("/usr/bin/x", everywhere), unit)
		require.Equal(t, unit == unitfiles.RecoverUnit, c.Writes("/etc/shadow", everywhere), unit)
	}
	require.Contains(t, string(read(unitfiles.SocketUnit)), "[Socket]\nListenStream=\nListenStream=/run/edge/updater/api.sock\n")

	// A daemon leaves the drop-ins of its own units alone, the verb takes them away.
	plain := unitfiles.New(unitfiles.Config{Root: root, Tree: func(v string) string { return filepath.Join(root.Dir(), v) }})
	done, err = plain.Follow("")
	require.NoError(t, err)
	require.Empty(t, done.Changes)
	done, err = plain.Complete("")
	require.NoError(t, err)
	require.Len(t, done.Changes, len(unitfiles.OwnUnits()))
	left, err := filepath.Glob(root.Dir() + "/etc/systemd/system/*")
	require.NoError(t, err)
	require.Empty(t, left)
}

// A run directory that was moved is there when the daemon starts: systemd makes those below
// /run at each boot, by either name, and all others are made once.
func TestAMovedRunDirectoryIsMade(t *testing.T) {
	for run, made := range map[string]bool{"/run/edge": false, "/var/run/edge": false, "/data/run": true, "/var/lib/edge": true} {
		root, err := disk.NewRoot(t.TempDir())
		require.NoError(t, err)
		needs := unitfiles.Needs{Writes: []string{"/data/v"}, Run: run, Socket: run + "/api.sock"}
		s := unitfiles.New(unitfiles.Config{Root: root, Tree: func(v string) string { return filepath.Join(root.Dir(), v) }, Needs: needs})
		_, err = s.Complete("")
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(root.Dir(), "etc/systemd/system", unitfiles.DaemonUnit+".d/50-tope-updater.conf"))
		require.NoError(t, err)
		if made {
			require.Equal(t, []string{"/data/v", run}, needs.Directories())
			require.Contains(t, string(text), "\nReadWritePaths=-"+run+"\n")
		} else {
			require.Equal(t, []string{"/data/v"}, needs.Directories())
			require.Contains(t, string(text), "\nRuntimeDirectory=edge\n")
		}
	}
	require.Empty(t, unitfiles.Needs{}.Directories())
}

// Whatever stands in a unit, reading it ends, and its answers too.
func FuzzConfine(f *testing.F) {
	f.Add(shipped(f), "/opt/tope")
	f.Add([]byte("[Service]\nBindPaths=a:b:c \"\nMemoryMax=K\nReadWritePaths=-+/x \\\n"), "/")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		c := unitfiles.Confine("a@b.service", text)
		_, _, _ = c.Writes(path, func(path string) (string, bool) { return path, false }), c.Hides(path), c.Has(path)
	})
}
