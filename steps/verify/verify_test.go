package verify_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/stepstest"
	"github.com/tope/updater/steps/verify"
)

const day = 24 * time.Hour

// world is a bundle as Download leaves it, with the surroundings that Verify needs.
type world struct {
	t     *testing.T
	clock *clocktest.Fake
	task  *steps.Task
	cfg   verify.Config
}

func newWorld(t *testing.T, z bt.Zip) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.New()}
	w.task = stepstest.Task(t, func(task *steps.Task) { z.Write(t, task.WorkDir, bundle.FileName) })
	w.task.Source = steps.Source{URL: source.New("http://127.0.0.1/p.zip"), Version: "1.2.0", Size: w.size(), MD5: w.md5()}
	w.downloaded()
	w.cfg = verify.Config{
		Clock: w.clock, Formats: []bundle.Format{legacyzip.Format{}}, TrustWindow: day,
		Space: bundle.Space{Versions: t.TempDir(), Preflight: disk.Preflight},
	}
	return w
}

func (w *world) path() string { return filepath.Join(w.task.WorkDir, bundle.FileName) }

func (w *world) data() []byte {
	data, err := os.ReadFile(w.path())
	require.NoError(w.t, err)
	return data
}

func (w *world) size() int64 { return int64(len(w.data())) }

func (w *world) md5() string {
	sum := md5.Sum(w.data())
	return hex.EncodeToString(sum[:])
}

// downloaded is Download's evidence of the bundle as it is now.
func (w *world) downloaded() {
	w.task.Facts.Download = &steps.Downloaded{Fetched: steps.Fetched{Size: w.size(), MD5: w.md5(), At: w.clock.Now()}}
}

// damage changes one byte behind Download's back.
func (w *world) damage() {
	data := w.data()
	data[len(data)/2] ^= 1
	require.NoError(w.t, os.WriteFile(w.path(), data, 0o600))
}

func (w *world) do() (verify.Evidence, steps.Release) {
	w.t.Helper()
	out, err := verify.New(w.cfg).Do(context.Background(), w.task)
	require.NoError(w.t, err)
	return out.Evidence.(verify.Evidence), out.Release
}

func TestConform(t *testing.T) {
	stepstest.Conform(t, stepstest.Case{
		Stateless: true,
		New: func(t *testing.T) *stepstest.World {
			w := newWorld(t, bt.Package("1.2.0"))
			w.task.Facts = steps.Facts{} // so that there is something to interrupt
			return &stepstest.World{
				Step: verify.New(w.cfg), Task: w.task,
				Picture: func() any { return stepstest.Tree(t, w.task.WorkDir, w.cfg.Space.Versions) },
			}
		},
	})
}

func TestAccepted(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	ev, release := w.do()
	require.Equal(t, steps.Release{
		Version: "1.2.0", Digest: "md5:" + w.md5(), Services: []string{"web-server", "device-api"},
	}, release)
	require.False(t, ev.Hashed, "Download's digest counts")
	require.Equal(t, w.size(), ev.Size)
	require.True(t, w.clock.Now().Equal(ev.At))
	require.Greater(t, ev.NeedBytes, uint64(ev.Bytes))
	require.Equal(t, 6, ev.Files)
}

// What a package has and the version will not is in the journal.
func TestWhatIsDroppedIsTold(t *testing.T) {
	z := bt.Package("1.2.0")
	for i, e := range z.Entries {
		if e.Name == "device-api/empty/" {
			z.Entries[i].Mode = bt.Directory | 0o2000
		}
	}
	ev, _ := newWorld(t, z).do()
	require.Contains(t, ev.Dropped, `"device-api/empty"`)
	ev, _ = newWorld(t, bt.Package("1.2.0")).do()
	require.Empty(t, ev.Dropped)
}

func TestUndeclaredBundle(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	w.task.Source = steps.Source{URL: source.New("/tmp/p.zip")}
	_, release := w.do()
	require.Equal(t, "1.2.0", release.Version)
	require.Equal(t, "md5:"+w.md5(), release.Digest)
}

// The digest is taken again when Download's does not count any more.
func TestHashedAgain(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"no evidence":         func(w *world) { w.task.Facts = steps.Facts{} },
		"a day later":         func(w *world) { w.clock.SetNow(w.clock.Now().Add(day + 1)) },
		"the clock went back": func(w *world) { w.clock.SetNow(w.clock.Now().Add(-time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, bt.Package("1.2.0"))
			change(w)
			ev, _ := w.do()
			require.True(t, ev.Hashed)
			require.True(t, w.clock.Now().Equal(ev.At), "proved now, and so good for another window")
			done, total := w.task.Meter.Read()
			require.Equal(t, [2]int64{w.size(), w.size()}, [2]int64{done, total})

			w.damage()
			stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.MD5Mismatch)
		})
	}
}

func TestRefused(t *testing.T) {
	commands := bt.Module{Name: "app", Src: "app", Dst: "/opt/tope/app", PostCmds: []string{"reboot"}}
	for name, c := range map[string]struct {
		zip    bt.Zip
		change func(w *world)
		class  steps.Class
		code   steps.Code
		says   string
	}{
		"another digest declared": {bt.Package("1.2.0"), func(w *world) { w.task.Source.MD5 = "00000000000000000000000000000000" }, steps.Refused, steps.MD5Mismatch, "declared was 0000"},
		"another size declared":   {bt.Package("1.2.0"), func(w *world) { w.task.Source.Size++ }, steps.Refused, steps.SizeMismatch, "declared were"},
		"another version":         {bt.Package("1.2.1"), func(*world) {}, steps.Refused, steps.InvalidManifest, "holds version 1.2.1"},
		"commands":                {bt.Zip{Entries: []bt.Entry{bt.Manifest("1.2.0", commands), {Name: "app/x"}}}, func(*world) {}, steps.Refused, steps.BadSignature, "allow_post_cmds"},
		"no manifest":             {bt.Zip{Entries: []bt.Entry{{Name: "app/x"}}}, func(*world) {}, steps.Refused, steps.InvalidManifest, "no manifest.json"},
		"no bundle at all":        {bt.Package("1.2.0"), func(w *world) { require.NoError(w.t, os.Remove(w.path())) }, steps.Local, steps.Internal, "not there"},
		"a directory": {bt.Package("1.2.0"), func(w *world) {
			require.NoError(w.t, os.Remove(w.path()))
			require.NoError(w.t, os.Mkdir(w.path(), 0o700))
			w.task.Source, w.task.Facts = steps.Source{}, steps.Facts{}
		}, steps.Local, steps.Internal, "is a directory"},
		"shorter than downloaded": {bt.Package("1.2.0"), func(w *world) { require.NoError(w.t, os.Truncate(w.path(), 100)) }, steps.Local, steps.SizeMismatch, "were downloaded"},
		"a web page": {bt.Package("1.2.0"), func(w *world) {
			require.NoError(w.t, os.WriteFile(w.path(), []byte("<html>"), 0o600))
			w.task.Source = steps.Source{}
			w.downloaded()
		}, steps.Refused, steps.InvalidPackage, "no known bundle format"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.zip)
			c.change(w)
			text := stepstest.Fails(t, verify.New(w.cfg), w.task, c.class, c.code)
			require.Contains(t, text, c.says)
		})
	}
}

func TestCommandsAllowed(t *testing.T) {
	w := newWorld(t, bt.Zip{Entries: []bt.Entry{
		bt.Manifest("1.2.0", bt.Module{Name: "app", Src: "app", Dst: "/opt/tope/app", PostCmds: []string{"reboot"}}), {Name: "app/x"},
	}})
	w.cfg.Unsigned.Commands = true
	ev, _ := w.do()
	want := []steps.Command{{Module: "app", Shell: "reboot"}}
	require.Equal(t, want, ev.Commands)
	stepstest.HandOn(t, w.task, steps.Verify, ev)
	require.Equal(t, want, w.task.Facts.Verify.Commands, "Restart finds them")
}

// What a package carries that nobody vouches for is refused before it is unpacked, unless
// the configuration lets it in by its kind.
func TestUnsignedPackagesBringNothing(t *testing.T) {
	package_ := bt.Zip{Entries: []bt.Entry{
		bt.Manifest("1.2.0", bt.Module{Name: "units", Src: "units", Dst: "/opt/tope/systemd"}, bt.Module{Name: "app", Src: "app", Dst: "/opt/tope/app"}),
		{Name: "units/"},
		{Name: "units/web.service", Data: []byte("[Service]\n")},
		{Name: "app/systemd/x"},
	}}
	w := newWorld(t, package_)
	w.cfg.Units = true
	text := stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.BadSignature)
	require.Contains(t, text, "1 unit file, such as web.service")
	require.Contains(t, text, `unsigned_brings = ["units"]`)

	w = newWorld(t, package_)
	w.cfg.Units, w.cfg.Unsigned.Units = true, true
	w.do()
	w = newWorld(t, package_) // where no systemd runs the services they are files like others
	w.do()
	package_ = bt.Zip{Entries: []bt.Entry{
		bt.Manifest("1.2.0", bt.Module{Name: "updater", Src: "own", Dst: "/usr/local/bin/tope-updater"}), {Name: "own", Data: []byte("#!/bin/sh\n")},
	}}
	w = newWorld(t, package_)
	require.Contains(t, stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Refused, steps.BadSignature), `unsigned_brings = ["updater"]`)
	w = newWorld(t, package_)
	w.cfg.Unsigned.Updater = true
	w.do()
	w = newWorld(t, bt.Package("1.2.0"))
	w.cfg.Units = true
	w.do()
}

// The device has room for a number of bytes; MakeRoom frees more, once.
func TestRoom(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	have, freed := uint64(0), 0
	w.cfg.Space.Preflight = func(path string, bytes, inodes uint64) error {
		require.Equal(t, w.cfg.Space.Versions, path)
		if bytes > have {
			return &disk.SpaceError{Path: path, Need: disk.Space{Bytes: bytes, Inodes: inodes}, Have: disk.Space{Bytes: have, Inodes: inodes}}
		}
		return nil
	}
	text := stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Local, steps.DiskFull)
	require.Contains(t, text, w.cfg.Space.Versions)

	w.cfg.Space.MakeRoom = func(context.Context, *steps.Task) ([]string, error) {
		freed++
		return []string{"1.0.0"}, nil
	}
	stepstest.Fails(t, verify.New(w.cfg), w.task, steps.Local, steps.DiskFull)
	require.Equal(t, 1, freed)

	w.cfg.Space.MakeRoom = func(context.Context, *steps.Task) ([]string, error) {
		have = 1 << 40
		return []string{"1.0.0"}, nil
	}
	ev, _ := w.do()
	require.Equal(t, []string{"1.0.0"}, ev.Freed)
	w.cfg.Space.MakeRoom = func(context.Context, *steps.Task) ([]string, error) {
		t.Fatal("there is room already")
		return nil, nil
	}
	w.do()
}
