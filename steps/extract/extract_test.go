package extract_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	bt "github.com/tope/updater/steps/bundle/bundletest"
	"github.com/tope/updater/steps/bundle/filelist"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/extract"
	"github.com/tope/updater/steps/stepstest"
)

// world is a device with a verified bundle.
type world struct {
	t    testing.TB
	dev  *stepstest.Device
	task *steps.Task
	cfg  extract.Config
}

func newWorld(t testing.TB, z bt.Zip) *world {
	t.Helper()
	return worldAt(t, z, "")
}

func worldAt(t testing.TB, z bt.Zip, dir string) *world {
	t.Helper()
	w := &world{t: t, dev: stepstest.NewDevice(t, dir)}
	w.task = stepstest.Task(t, func(task *steps.Task) {
		z.Write(t, task.WorkDir, bundle.FileName)
		task.Release = steps.Release{Version: "1.2.0", Digest: "md5:00112233445566778899aabbccddeeff"}
	})
	w.cfg = extract.Config{
		Versions: w.dev.Store, Formats: []bundle.Format{legacyzip.Format{}}, Preflight: disk.Preflight,
	}
	return w
}

func (w *world) staging() string { return w.dev.Staging(w.task.Update) }

func (w *world) in(path string) string { return filepath.Join(w.staging(), path) }

func (w *world) do() extract.Evidence {
	w.t.Helper()
	out, err := extract.New(w.cfg).Do(context.Background(), w.task)
	require.NoError(w.t, err)
	return out.Evidence.(extract.Evidence)
}

// listed is the list of files, by path.
func (w *world) listed() map[string]versions.File {
	w.t.Helper()
	all := map[string]versions.File{}
	_, err := filelist.Read(w.task.WorkDir, func(f versions.File) error {
		require.NotContains(w.t, all, f.Path)
		all[f.Path] = f
		return nil
	})
	require.NoError(w.t, err)
	return all
}

// picture is the device and the work directory without the list: the order of the
// list depends on which worker happened to finish first.
func (w *world) picture() any {
	tree := stepstest.Tree(w.t, w.dev.Root, w.task.WorkDir)
	list := filepath.Join(w.task.WorkDir, filelist.Name)
	if _, ok := tree[list]; ok {
		tree[list] = "is there"
	}
	return tree
}

// wreck leaves a tree as a cut may leave it: incomplete, with wrong contents.
func wreck(t *testing.T, staging string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(staging, "services/device-api/stray"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(staging, "services/device-api/device-api"), make([]byte, 22), 0o444))
	for _, dir := range []string{"services/device-api/stray", "services/device-api", "services", "."} {
		require.NoError(t, os.Chmod(filepath.Join(staging, dir), 0o555))
	}
}

func TestConform(t *testing.T) {
	list := func(w *stepstest.World) string { return filepath.Join(w.Task.WorkDir, filelist.Name) }
	staging := func(w *stepstest.World) string {
		return w.Step.(*stepWithWorld).world.staging()
	}
	finish := func(t *testing.T, w *stepstest.World) {
		t.Helper()
		_, err := w.Step.Do(context.Background(), stepstest.Again(w.Task))
		require.NoError(t, err)
	}
	stepstest.Conform(t, stepstest.Case{
		New: func(t *testing.T) *stepstest.World {
			w := newWorld(t, bt.Package("1.2.0"))
			return &stepstest.World{Step: &stepWithWorld{extract.New(w.cfg), w}, Task: w.task, Picture: w.picture}
		},
		Halves: map[string]func(*testing.T, *stepstest.World){
			"half a tree": func(t *testing.T, w *stepstest.World) { wreck(t, staging(w)) },
			"a file in its place": func(t *testing.T, w *stepstest.World) {
				require.NoError(t, os.WriteFile(staging(w), nil, 0o600))
			},
			"a link in its place": func(t *testing.T, w *stepstest.World) {
				require.NoError(t, os.Symlink(t.TempDir(), staging(w)))
			},
			"a tree without a list": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.Remove(list(w)))
			},
			"a list without a tree": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, disk.RemoveTree(staging(w)))
			},
			"a list cut short": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.Truncate(list(w), 700))
			},
			"a list of zeros": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.WriteFile(list(w), make([]byte, 900), 0o600))
			},
			"a list that was being written": func(t *testing.T, w *stepstest.World) {
				require.NoError(t, os.WriteFile(disk.TempName(list(w)), []byte("{"), 0o600))
				wreck(t, staging(w))
			},
			"the list of another release": func(t *testing.T, w *stepstest.World) {
				other := stepstest.Again(w.Task)
				other.Release.Digest = "md5:ffffffffffffffffffffffffffffffff"
				_, err := w.Step.Do(context.Background(), other)
				require.NoError(t, err)
			},
			"a file too few": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.Remove(filepath.Join(staging(w), "bin/tope-tool")))
			},
			"a file too many": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.WriteFile(filepath.Join(staging(w), "bin/extra"), nil, 0o600))
			},
			"a file too short": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				disktest.Cut(t, filepath.Join(staging(w), "services/web-server/run"), 3)
			},
			"a file with another mode": func(t *testing.T, w *stepstest.World) {
				finish(t, w)
				require.NoError(t, os.Chmod(filepath.Join(staging(w), "services/web-server/run"), 0o644))
			},
		},
	})
}

type stepWithWorld struct {
	*extract.Step
	world *world
}

func TestExtracted(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	ev := w.do()
	require.Equal(t, filelist.Summary{Files: 5, Dirs: 6, Links: 1, Bytes: ev.Bytes}, ev.Summary)
	done, total := w.task.Meter.Read()
	require.Equal(t, [2]int64{ev.Bytes, ev.Bytes}, [2]int64{done, total})

	list := w.listed()
	require.Len(t, list, 12)
	for path, mode := range map[string]uint32{
		"services/device-api/device-api":    0o555, // as the package says
		"services/device-api/lib/libx.so.1": 0o444,
		"services/web-server/run":           0o555, // "#!", and the package has no mode
		"services/web-server/index.html":    0o444,
		"bin/tope-tool":                     0o555, // ELF, and the package has no mode
	} {
		require.Equal(t, mode, list[path].Mode, path)
		info, err := os.Lstat(w.in(path))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(mode), info.Mode(), path)
		data, err := os.ReadFile(w.in(path))
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equal(t, hex.EncodeToString(sum[:]), list[path].SHA256, path)
		require.Equal(t, int64(len(data)), list[path].Size)
	}
	require.Equal(t, versions.File{Path: "services/device-api/lib/libx.so", Type: versions.TypeLink, Target: "libx.so.1"},
		list["services/device-api/lib/libx.so"])
	require.Equal(t, versions.TypeDir, list["services/device-api/empty"].Type)
}

// The modes are the same whatever umask the updater was started with.
func TestUmask(t *testing.T) {
	roottest.Need(t, "a umask that takes all")
	w := newWorld(t, bt.Package("1.2.0"))
	was := unix.Umask(0o777)
	_, err := extract.New(w.cfg).Do(context.Background(), w.task)
	unix.Umask(was)
	require.NoError(t, err)
	info, err := os.Lstat(w.in("services/device-api/device-api"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o555), info.Mode())
}

func TestWritable(t *testing.T) {
	newWritable := func(t *testing.T, z bt.Zip) *world {
		w := newWorld(t, z)
		w.cfg.Shared = w.dev.Path("/opt/tope/shared")
		w.cfg.Writable = map[string]string{
			"services/device-api/empty": w.dev.Path("/opt/tope/shared/device-api"),
			"services/web-server/log":   w.dev.Path("/opt/tope/shared/log"),
			"services/not-here/data":    w.dev.Path("/opt/tope/shared/not-here"),
			"data":                      w.dev.Path("/opt/tope/shared/data"),
		}
		return w
	}
	w := newWritable(t, bt.Package("1.2.0"))
	ev := w.do()
	require.Equal(t, []string{"data", "services/device-api/empty", "services/web-server/log"}, ev.Writable)
	require.Equal(t, "../../../../shared/device-api", w.listed()["services/device-api/empty"].Target)
	require.NoError(t, os.WriteFile(w.in("services/web-server/log/today"), []byte("x"), 0o600), "a service can write there")
	require.FileExists(t, w.dev.Path("/opt/tope/shared/log/today"))
	require.NoDirExists(t, w.dev.Path("/opt/tope/shared/not-here"))

	require.NoError(t, extract.New(w.cfg).Undo(context.Background(), w.task))
	require.FileExists(t, w.dev.Path("/opt/tope/shared/log/today"), "data outlives the update")

	z := bt.Package("1.2.0")
	z.Entries = append(z.Entries, bt.Entry{Name: "device-api/empty/defaults.json"})
	w = newWritable(t, z)
	text := stepstest.Fails(t, extract.New(w.cfg), w.task, steps.Refused, steps.InvalidPackage)
	require.Contains(t, text, "take it out of the bundle")
}

// A release names writable directories of its own; their parents are made.
func TestWritableOfTheRelease(t *testing.T) {
	w := newWorld(t, bt.Package("1.2.0"))
	w.cfg.Writable = map[string]string{"data": w.dev.Path("/opt/tope/shared/configured")}
	w.cfg.Shared = w.dev.Path("/opt/tope/shared")
	found := func(paths ...string) {
		var b versions.Brought
		for _, p := range paths {
			b.Writable = append(b.Writable, versions.Writable{Path: p})
		}
		w.task.Facts.Verify = &steps.Verified{Brought: b}
	}
	found("data", "var/lib/app", "services/web-server/log")
	require.Equal(t, []string{"data", "services/web-server/log", "var/lib/app"}, w.do().Writable)
	require.Equal(t, "../../../../shared/var/lib/app", w.listed()["var/lib/app"].Target)
	require.DirExists(t, w.dev.Path("/opt/tope/shared/var/lib/app"))
	require.Equal(t, "../../shared/configured", w.listed()["data"].Target, "the configuration has the last word")

	for _, p := range []string{"../out", ".snapshot-x"} {
		require.NoError(t, extract.New(w.cfg).Undo(t.Context(), w.task))
		found(p)
		stepstest.Fails(t, extract.New(w.cfg), w.task, steps.Refused, steps.InvalidManifest)
	}
}

func TestRefused(t *testing.T) {
	lying := func(name string, packed []byte) bt.Zip {
		z := bt.Package("1.2.0")
		z.Entries = append(z.Entries, bt.Entry{Name: name, Data: []byte("as declared"), Packed: packed})
		return z
	}
	for name, c := range map[string]struct {
		zip   bt.Zip
		class steps.Class
		code  steps.Code
	}{
		"another version":    {bt.Package("1.2.1"), steps.Refused, steps.InvalidManifest},
		"more than declared": {lying("web/x", bt.Deflate([]byte(strings.Repeat("x", 1<<20)))), steps.Refused, steps.InvalidPackage},
		"less than declared": {lying("web/x", bt.Deflate([]byte("as"))), steps.Refused, steps.InvalidPackage},
		"other bytes":        {lying("web/x", bt.Deflate([]byte("as declaimed"))), steps.Refused, steps.InvalidPackage},
		"damaged bytes":      {lying("web/x", []byte("no deflate")), steps.Refused, steps.InvalidPackage},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.zip)
			before := w.picture()
			step := extract.New(w.cfg)
			stepstest.Fails(t, step, w.task, c.class, c.code)
			require.NoFileExists(t, filepath.Join(w.task.WorkDir, filelist.Name))
			require.NoError(t, step.Undo(context.Background(), w.task))
			require.Equal(t, before, w.picture(), "something was left behind")
		})
	}
}

func TestFullDisk(t *testing.T) {
	t.Run("known beforehand", func(t *testing.T) {
		w := newWorld(t, bt.Package("1.2.0"))
		w.cfg.Preflight = func(path string, bytes, inodes uint64) error {
			return &disk.SpaceError{Path: path, Need: disk.Space{Bytes: bytes}}
		}
		stepstest.Fails(t, extract.New(w.cfg), w.task, steps.Local, steps.DiskFull)
		require.NoDirExists(t, w.staging(), "before the first byte")
	})
	t.Run("while writing", func(t *testing.T) {
		roottest.Need(t, "a mount")
		dir := t.TempDir()
		require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
		z := bt.Package("1.2.0")
		z.Entries = append(z.Entries, bt.Entry{Name: "web/large", Data: []byte(strings.Repeat("large ", 50_000))})
		w := worldAt(t, z, dir)
		w.cfg.Preflight = func(string, uint64, uint64) error { return nil }
		// With more workers the file that meets the full disk need not be the one that fills it.
		w.cfg.Workers = 1
		step := extract.New(w.cfg)
		text := stepstest.Fails(t, step, w.task, steps.Local, steps.DiskFull)
		require.Contains(t, text, "services/web-server/")
		require.NoError(t, step.Undo(context.Background(), w.task))
		require.NoDirExists(t, w.staging())
		require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=4m"))
		w.do() // with space again, the same update goes through
	})
}
