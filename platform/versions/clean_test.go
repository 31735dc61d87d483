package versions_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

func TestTrashRefusesWhatIsNeeded(t *testing.T) {
	for name, use := range map[string]func(d *device){
		"current":           func(d *device) { d.point(versions.Current, "1.0.0") },
		"previous":          func(d *device) { d.point(versions.Previous, "1.0.0") },
		"factory":           func(d *device) { d.point(versions.Factory, "1.0.0") },
		"the marker":        func(d *device) { require.NoError(d.t, d.Mark("1.0.0")) },
		"an absolute link":  func(d *device) { symlink(d.t, "/opt/tope/versions/v1.0.0", d.in("current")) },
		"a detour":          func(d *device) { symlink(d.t, "v1.0.0", d.in("stable")); symlink(d.t, "stable", d.in("current")) },
		"a part of it":      func(d *device) { symlink(d.t, "v1.0.0/data", d.in("current")) },
		"out and back in":   func(d *device) { symlink(d.t, "../../tope/versions/v1.0.0", d.in("current")) },
		"a foreign marker":  func(d *device) { symlink(d.t, "../versions/v1.0.0", d.in(".uncommitted")) },
		"a version's alias": func(d *device) { symlink(d.t, "v1.0.0", d.Path("2.0.0")); symlink(d.t, "v2.0.0", d.in("current")) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.publish("1.0.0")
			use(d)
			require.ErrorIs(t, d.Trash("1.0.0"), versions.ErrInUse)
			removed, err := d.Prune(0)
			require.NoError(t, err)
			require.NotContains(t, removed, "1.0.0")
			require.DirExists(t, d.Path("1.0.0"))
		})
	}
}

func TestTrash(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	symlink(t, "loop", d.in("loop"))
	symlink(t, "loop", d.in("previous"))
	disktest.AsNobody(t, d.root, func() { require.NoError(t, d.Trash("1.0.0")) })
	d.has("loop", "previous")
	require.ErrorIs(t, d.Trash("1.0.0"), versions.ErrNotFound)
	require.Error(t, d.Trash("../x"))
}

func TestPruneKeepsWhatIsNeededAndTheNewest(t *testing.T) {
	for _, c := range []struct {
		name   string
		keep   int
		needed []string
		want   []string
	}{
		{"the pointers' alone", 0, nil, []string{"1.4.0", "1.3.0", "1.2.0", "0.9.0"}},
		{"one more by name", 0, []string{"1.3.0"}, []string{"1.4.0", "1.2.0", "0.9.0"}},
		{"the newest two, current among them", 2, nil, []string{"1.3.0", "1.2.0", "0.9.0"}},
		{"the newest of those that can be used", 3, nil, []string{"1.2.0", "0.9.0"}},
		{"all that can be used", 100, nil, []string{"1.2.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			for _, v := range []string{"0.9.0", "1.0.0", "1.1.0", "1.3.0", "1.4.0", "1.10.0"} {
				d.publish(v)
			}
			put(t, d.Path("1.2.0")+"/.tope-manifest.json", "{")
			d.point(versions.Current, "1.10.0")
			d.point(versions.Previous, "1.1.0")
			d.point(versions.Factory, "1.0.0")
			removed, err := d.Prune(c.keep, c.needed...)
			require.NoError(t, err)
			require.Equal(t, c.want, removed)
			for _, v := range removed {
				require.NoDirExists(t, d.Path(v))
			}
			again, err := d.Prune(c.keep, c.needed...)
			require.NoError(t, err)
			require.Empty(t, again)
		})
	}
}

func TestPruneLeavesAnOperatorsThings(t *testing.T) {
	d := newDevice(t)
	symlink(t, "/srv/v1", d.Path("1.0.0"))
	put(t, d.Path("1.1.0"), "a file")
	put(t, d.in("backup/f"), "x")
	require.NoError(t, os.Mkdir(d.Path("1.2.0"), 0o755)) // as a person makes it, before the files are copied in
	removed, err := d.Prune(0)
	require.NoError(t, err)
	require.Empty(t, removed)
	d.has("v1.0.0", "v1.1.0", "v1.2.0", "backup")
}

func TestSweep(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.point(versions.Current, "1.0.0")
	require.NoError(t, d.Mark("1.0.0"))
	d.stage("open", "1.1.0", plain("1.1.0"))
	d.stage("dead", "1.2.0", plain("1.2.0"))
	d.stage("dead.tmp", "1.3.0", plain("1.3.0"))
	d.publish("0.9.0")
	require.NoError(t, os.Rename(d.Path("0.9.0"), d.in(".trash-v0.9.0-0")))
	symlink(t, "v0.9.0", d.in(".current.tmp"))
	put(t, d.in(".hidden"), "an operator's")
	disktest.AsNobody(t, d.root, func() {
		swept, err := d.Sweep("open")
		require.NoError(t, err)
		require.Equal(t, versions.Swept{
			Trash: []string{".trash-v0.9.0-0"}, Stagings: []string{".staging-dead", ".staging-dead.tmp"}, Temporaries: []string{".current.tmp"},
		}, swept)
		again, err := d.Sweep("open")
		require.NoError(t, err)
		require.Zero(t, again)
	})
	d.has("v1.0.0", "current", ".uncommitted", ".staging-open", ".hidden")
}
