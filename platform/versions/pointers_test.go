package versions_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
)

func TestPointers(t *testing.T) {
	d := newDevice(t)
	for _, v := range []string{"1.0.0", "1.1.0"} {
		d.publish(v)
	}
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Zero(t, p, "a device without a version is not an error")

	d.point(versions.Current, "1.1.0")
	d.point(versions.Previous, "1.0.0")
	d.point(versions.Factory, "1.0.0")
	p, err = d.Pointers()
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{Current: "1.1.0", Previous: "1.0.0", Factory: "1.0.0"}, p)
	target, err := os.Readlink(d.in("current"))
	require.NoError(t, err)
	require.Equal(t, "v1.1.0", target, "relative")

	require.NoError(t, d.Unpoint(versions.Previous))
	require.NoError(t, d.Unpoint(versions.Previous))
	p, err = d.Pointers()
	require.NoError(t, err)
	require.Empty(t, p.Previous)
}

func TestPointRefuses(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.point(versions.Current, "1.0.0")
	put(t, d.Path("1.2.0")+"/.tope-manifest.json", "{")
	require.ErrorIs(t, d.Point(versions.Current, "9.9.9"), versions.ErrNotFound)
	require.ErrorIs(t, d.Point(versions.Current, "1.2.0"), versions.ErrDamaged)
	require.Error(t, d.Point(versions.Current, "../1.0.0"))
	require.Error(t, d.Point(versions.Current, ""), "no version")
	require.Error(t, d.Point("bin", "1.0.0"), "not a pointer")
	require.Error(t, d.Unpoint("bin"), "not a pointer")
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Current)

	put(t, d.in("previous/precious"), "x")
	require.ErrorIs(t, d.Point(versions.Previous, "1.0.0"), versions.ErrForeign)
	require.ErrorIs(t, d.Unpoint(versions.Previous), versions.ErrForeign)
	require.FileExists(t, d.in("previous/precious"))
}

// A version that was found usable is checked again after it has changed.
func TestPointLooksAgain(t *testing.T) {
	for name, change := range map[string]func(d *device){
		"its manifest was written over": func(d *device) { put(d.t, d.Path("1.0.0")+"/"+versions.ManifestName, "{") },
		"it is gone":                    func(d *device) { require.NoError(d.t, disk.RemoveTree(d.Path("1.0.0"))) },
		"it is a link now": func(d *device) {
			require.NoError(d.t, os.Rename(d.Path("1.0.0"), d.in("moved")))
			symlink(d.t, "moved", d.Path("1.0.0"))
		},
		"it is another version's now": func(d *device) {
			d.publish("1.1.0")
			require.NoError(d.t, disk.RemoveTree(d.Path("1.0.0")))
			require.NoError(d.t, os.Rename(d.Path("1.1.0"), d.Path("1.0.0")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.publish("1.0.0")
			d.point(versions.Current, "1.0.0")
			d.point(versions.Previous, "1.0.0")
			change(d)
			require.Error(t, d.Point(versions.Current, "1.0.0"))
		})
	}
}

func TestAPointersTargetAsAnOperatorMayWriteIt(t *testing.T) {
	for target, want := range map[string]string{
		"v1.0.0": "1.0.0", "./v1.0.0": "1.0.0", "v1.0.0/": "1.0.0", "/opt/tope/versions/v1.0.0": "1.0.0",
		"v9.9.9": "9.9.9", // absent: for State to say
		"1.0.0":  "", "other": "", "../v1.0.0": "", "/v1.0.0": "", "/srv/v1.0.0": "", "v1.0.0/bin": "", "vx": "", "current": "",
	} {
		t.Run(target, func(t *testing.T) {
			d := newDevice(t)
			d.publish("1.0.0")
			symlink(t, target, d.in("current"))
			p, err := d.Pointers()
			require.NoError(t, err)
			require.Equal(t, want, p.Current)
			raw, ok, err := d.Raw(versions.Current)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, target, raw)
		})
	}
}

func TestADirectoryInAPointersPlaceHidesNoOther(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.point(versions.Current, "1.0.0")
	put(t, d.in("factory/f"), "x")
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{Current: "1.0.0"}, p)
	_, ok, err := d.Raw(versions.Factory)
	require.True(t, ok)
	require.ErrorIs(t, err, versions.ErrForeign)
	require.ErrorContains(t, err, "move it away")
}

func TestMarker(t *testing.T) {
	d := newDevice(t)
	_, ok, err := d.Marker()
	require.NoError(t, err)
	require.False(t, ok)
	for _, old := range []string{"1.0.0", "", "1.1.0"} {
		require.NoError(t, d.Mark(old))
		got, ok, err := d.Marker()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, old, got)
	}
	require.Error(t, d.Mark("../x"))
	for range 2 {
		require.NoError(t, d.Unmark())
	}
	_, ok, err = d.Marker()
	require.NoError(t, err)
	require.False(t, ok)

	symlink(t, "/somewhere", d.in(".uncommitted"))
	_, ok, err = d.Marker()
	require.True(t, ok)
	require.ErrorIs(t, err, versions.ErrForeign)
}

// The way back from a rescue shell, as the design promises it.
func TestTheMarkerCanBeRenamedOverCurrent(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.publish("1.1.0")
	require.NoError(t, d.Mark("1.0.0"))
	d.point(versions.Current, "1.1.0")
	require.NoError(t, os.Rename(d.in(".uncommitted"), d.in("current")))
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Current)
}

func TestOpenFollowsTheDevicesOwnLinks(t *testing.T) {
	root, err := filepath.EvalSymlinks(disktest.TempDir(t))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(root+"/data/tope", 0o755))
	symlink(t, "/data/tope", root+"/opt/tope")
	r, err := disk.NewRoot(root)
	require.NoError(t, err)
	s, err := versions.Open(versions.Config{Root: r, Versions: "/opt/tope/versions"})
	require.NoError(t, err)
	require.NoDirExists(t, s.Dir(), "it may only not be mounted yet")
	list, err := s.List()
	require.NoError(t, err)
	require.Empty(t, list)
	s, err = versions.Open(versions.Config{Root: r, Versions: "/opt/tope/versions", Create: true})
	require.NoError(t, err)
	require.Equal(t, root+"/data/tope/versions", s.Dir())
	require.DirExists(t, s.Dir())
	put(t, s.Path("1.0.0")+"/f", "x")
	for _, target := range []string{"/opt/tope/versions/v1.0.0", "/data/tope/versions/v1.0.0"} {
		require.NoError(t, disk.SwapLink(s.Dir()+"/current", target))
		p, err := s.Pointers()
		require.NoError(t, err)
		require.Equal(t, "1.0.0", p.Current)
	}

	put(t, root+"/file", "x")
	_, err = versions.Open(versions.Config{Root: r, Versions: "/file"})
	require.ErrorContains(t, err, "not a directory")
	_, err = versions.Open(versions.Config{Root: r, Versions: "relative"})
	require.ErrorContains(t, err, "not an absolute path")
}

func TestList(t *testing.T) {
	d := newDevice(t)
	d.publish("1.2.0")
	d.publish("1.10.0")
	d.byHand("1.3.0")
	put(t, d.Path("1.4.0")+"/.tope-manifest.json", "{")
	d.point(versions.Current, "1.10.0")
	d.point(versions.Previous, "1.2.0")
	d.point(versions.Factory, "1.2.0")
	require.NoError(t, d.Mark("1.3.0"))
	put(t, d.in(".trash-v1.0.0-0/f"), "x")
	put(t, d.in("notes.txt"), "x")

	got, err := d.List()
	require.NoError(t, err)
	require.Len(t, got, 4)
	for i, want := range []versions.Info{
		{Version: "1.10.0", State: versions.Complete, Digest: "md5:u-11001.10.0", Files: 3, Pointers: []string{"current"}},
		{Version: "1.4.0", State: versions.Damaged, Problem: "manifest: unexpected end of JSON input", Pointers: []string{}},
		{Version: "1.3.0", State: versions.Unverified, Files: 3, Pointers: []string{}},
		{Version: "1.2.0", State: versions.Complete, Digest: "md5:u-1201.2.0", Files: 3, Pointers: []string{"previous", "factory"}},
	} {
		if want.State.Usable() {
			require.NotZero(t, got[i].Created)
			require.NotZero(t, got[i].Bytes)
		}
		got[i].Created, got[i].Bytes = want.Created, want.Bytes
		require.ElementsMatch(t, want.Pointers, got[i].Pointers)
		got[i].Pointers = want.Pointers
		require.Equal(t, want, got[i])
	}
}

// On a disk without room for even a link, a rollback renames the marker to current:
// a rename needs no room.
func TestGoingBackWithoutRoomForALink(t *testing.T) {
	roottest.Need(t, "a mount")
	d := &device{t: t, root: t.TempDir()}
	require.NoError(t, unix.Mount("tmpfs", d.root, "tmpfs", 0, "size=4m,nr_inodes=100"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(d.root, unix.MNT_DETACH)) })
	d.open()
	d.publish("1.0.0")
	d.publish("1.1.0")
	require.NoError(t, d.Mark("1.0.0"))
	d.point(versions.Current, "1.1.0")
	d.point(versions.Previous, "1.0.0")
	for i := 0; ; i++ {
		if err := os.WriteFile(fmt.Sprintf("%s/filler-%d", d.root, i), nil, 0o644); err != nil {
			require.ErrorIs(t, err, unix.ENOSPC)
			break
		}
	}
	require.ErrorIs(t, d.Point(versions.Previous, "1.1.0"), unix.ENOSPC, "no other pointer is worth the marker")
	require.NoError(t, d.Point(versions.Current, "1.0.0"))
	p, err := d.Pointers()
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{Current: "1.0.0", Previous: "1.0.0"}, p)
	_, marked, err := d.Marker()
	require.NoError(t, err)
	require.False(t, marked, "it became the pointer")
}
