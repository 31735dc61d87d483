//go:build linux && amd64

package trials_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/sweeptest"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

// payload is the size of the files that a release of the trials has besides its services.
const payload = 1 << 20

// bulk cannot be compressed.
func bulk(version string) map[string][]byte {
	data := make([]byte, payload)
	_, _ = rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", version)))).Read(data) // never fails
	files := map[string][]byte{"services/web-server/bulk": data}
	// Directories and small files take blocks, too.
	for i := range 20 {
		files[fmt.Sprintf("services/web-server/parts/%d/part", i)] = []byte(version)
	}
	return files
}

// smallDisk mounts an ext4 for a device, whose /run is in memory as everywhere.
func smallDisk(t *testing.T, size int64) (*disktest.Disk, string) {
	t.Helper()
	e := disktest.NewExt4(t, size)
	root := filepath.Join(e.Dir, "device")
	mount(t, filepath.Join(root, "run"))
	return e, root
}

// mount puts a file system in memory at dir.
func mount(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// fullDevice has a disk of its own, version 1.1.0 with 1.0.0 to go back to, and
// a journal of one update.
func fullDevice(t *testing.T, size int64, p fixtures.Programs, manager string) (*device, *disktest.Disk) {
	t.Helper()
	e, root := smallDisk(t, size)
	d := newDevice(t, root, p, fixtures.Options{Manager: manager})
	d.must(0, "install", packageOf(t, p, fixtures.Release{Version: "1.1.0"}))
	return d, e
}

// failedFull demands that an update failed for want of space, and did nothing else.
func (d *device) failedFull(r ran, before versions.Pointers) {
	d.t.Helper()
	require.Equal(d.t, 1, r.exit, "%s", r)
	var u engine.UpdateStatus
	require.NoError(d.t, json.Unmarshal([]byte(r.out), &u), "%s", r)
	require.Equal(d.t, engine.Failed, u.State, "%s", r)
	require.NotNil(d.t, u.Error, "%s", r)
	require.Equal(d.t, "DISK_FULL", u.Error.Code, "%s", r)
	require.Equal(d.t, "local", u.Error.Class, "%s", r)
	st := d.status()
	require.Equal(d.t, engine.Idle, st.State)
	require.Equal(d.t, before, st.Pointers)
	require.Empty(d.t, st.Quarantine)
	require.False(d.t, st.Journal.Damaged)
	require.Equal(d.t, u.ID, st.Last.ID)
	d.isWhole(before.Current)
	d.isTidy()
	d.journalWorks()
}

// TestFullDisk installs with nothing free, then with a little more, until the
// update fits: each time before that it fails cleanly.
func TestFullDisk(t *testing.T) {
	tried(t)
	stubs := fixtures.Stubs()
	d, e := fullDevice(t, 24<<20, stubs, "none")
	before, err := d.Store.Pointers()
	require.NoError(t, err)
	pack := packageOf(t, stubs, fixtures.Release{Version: "1.2.0", Files: bulk("1.2.0")})
	failures := map[string]int{}
	tries := 0
	for free := int64(0); ; free += max(4<<10, free/8&^(4<<10-1)) {
		require.Less(t, free, int64(16*payload), "no room is enough: %+v", d.status().Last)
		release := e.Fill(t, free)
		r := d.run("--json", "install", pack)
		if r.exit == 0 {
			release()
			break
		}
		d.failedFull(r, before)
		last := d.status().Last
		failures[string(last.Step)]++
		tries++
		release()
	}
	t.Logf("disk full: %d levels of fullness, failures by step: %v", tries, failures)
	require.Greater(t, tries, 20)
	require.Contains(t, failures, "Download")
	require.Contains(t, failures, "Verify", "the space is checked before the first payload byte")
	require.Equal(t, "1.2.0", d.isWhole("1.2.0"))
	d.isTidy()
	d.journalWorks()
	d.must(0, "rollback")
}

// TestFullDiskServices: nothing at all is free, with services that run.
func TestFullDiskServices(t *testing.T) {
	tried(t)
	d, e := fullDevice(t, 64<<20, builttest.Services(t), "embedded")
	before, err := d.Store.Pointers()
	require.NoError(t, err)
	pack := packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.2.0", Files: bulk("1.2.0")})
	release := e.Fill(t, 0)
	d.failedFull(d.run("--json", "install", pack), before)
	d.runs("1.1.0")

	// Pointers need no space: rollbacks work, and so does the way forward again.
	d.must(0, "rollback")
	require.Equal(t, "1.0.0", d.isWhole("1.0.0"))
	d.runs("1.0.0")
	d.must(0, "rollback", "--to", "1.1.0")
	d.runs("1.1.0")
	d.must(0, "factory", "restore")
	require.Equal(t, "1.0.0", d.isWhole("1.0.0"))
	d.runs("1.0.0")
	d.isTidy()
	d.journalWorks()

	release()
	d.must(0, "install", pack)
	require.Equal(t, "1.2.0", d.isWhole("1.2.0"))
	d.runs("1.2.0")
	d.isTidy()
}

// TestFullStateDirectory: only the directory of the journal and the downloads is full.
func TestFullStateDirectory(t *testing.T) {
	tried(t)
	onItsOwnDisk(t, "var/lib/tope-updater", "Download")
}

// TestFullVersionsDirectory: only the directory of the versions is full.
func TestFullVersionsDirectory(t *testing.T) {
	tried(t)
	onItsOwnDisk(t, "opt/tope/versions", "Verify")
}

func onItsOwnDisk(t *testing.T, dir, step string) {
	t.Helper()
	e := disktest.NewExt4(t, 24<<20)
	root := filepath.Join(t.TempDir(), "device")
	at := filepath.Join(root, dir)
	require.NoError(t, os.MkdirAll(at, 0o755))
	its := filepath.Join(e.Dir, "its")
	require.NoError(t, os.Mkdir(its, 0o755))
	require.NoError(t, unix.Mount(its, at, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) })
	stubs := fixtures.Stubs()
	d := newDevice(t, root, stubs, fixtures.Options{Manager: "none"})
	d.must(0, "install", packageOf(t, stubs, fixtures.Release{Version: "1.1.0"}))
	before, err := d.Store.Pointers()
	require.NoError(t, err)

	release := e.Fill(t, 0)
	pack := packageOf(t, stubs, fixtures.Release{Version: "1.2.0", Files: bulk("1.2.0")})
	r := d.run("--json", "install", pack)
	d.failedFull(r, before)
	require.EqualValues(t, step, d.status().Last.Step)
	d.must(0, "rollback")
	d.must(0, "rollback")
	release()
	d.must(0, "install", pack)
	require.Equal(t, "1.2.0", d.isWhole("1.2.0"))
	d.isTidy()
}

// TestFullOfFiles: there is space, but not one inode.
func TestFullOfFiles(t *testing.T) {
	tried(t)
	stubs := fixtures.Stubs()
	d, e := fullDevice(t, 24<<20, stubs, "none")
	before, err := d.Store.Pointers()
	require.NoError(t, err)
	pack := packageOf(t, stubs, fixtures.Release{Version: "1.2.0", Files: bulk("1.2.0")})
	fillInodes(t, e, fewInodes)
	failures := map[string]int{}
	for _, free := range []int{0, 1, 2, 3, 10, 30, 50} {
		release := fillInodes(t, e, free)
		r := d.run("--json", "install", pack)
		d.failedFull(r, before)
		failures[string(d.status().Last.Step)]++
		release()
	}
	t.Logf("inodes exhausted: failures by step: %v", failures)
	require.Contains(t, failures, "Verify")
	// The marker is a link, and a pointer is replaced by a new link and a
	// rename: two inodes are needed.
	release := fillInodes(t, e, 0)
	d.failedFull(d.run("--json", "rollback"), before)
	release()
	release = fillInodes(t, e, 2)
	d.must(0, "rollback")
	d.must(0, "rollback")
	release()
	d.must(0, "install", pack)
	require.Equal(t, "1.2.0", d.isWhole("1.2.0"))
	d.isTidy()
}

// fillInodes leaves that many inodes free; each caller gets a directory of its own.
func fillInodes(t *testing.T, e *disktest.Disk, free int) (release func()) {
	t.Helper()
	dir, err := os.MkdirTemp(e.Dir, ".crowd-")
	require.NoError(t, err)
	made := 0
	for ; ; made++ {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(made)))
		if err != nil {
			require.ErrorIs(t, err, unix.ENOSPC)
			break
		}
		require.NoError(t, f.Close())
	}
	for i := range min(free, made) {
		require.NoError(t, os.Remove(filepath.Join(dir, fmt.Sprint(i))))
	}
	return func() { require.NoError(t, os.RemoveAll(dir)) }
}

// fewInodes is how many inodes a disk has left where they are used up again and again.
const fewInodes = 600

// TestFirstUpdateOnAFullDisk: there is no journal yet, and no room for one.
// Without a journal, an update does not begin.
func TestFirstUpdateOnAFullDisk(t *testing.T) {
	tried(t)
	stubs := fixtures.Stubs()
	e, root := smallDisk(t, 24<<20)
	d := newDevice(t, root, stubs, fixtures.Options{Manager: "none"})
	pack := packageOf(t, stubs, fixtures.Release{Version: "1.1.0"})
	release := e.Fill(t, 0)
	r := d.must(1, "install", pack)
	require.Contains(t, r.errors, "no space left on device")
	require.NoFileExists(t, d.journalPath())
	require.Equal(t, "1.0.0", d.isWhole("1.0.0"))
	release()
	d.must(0, "install", pack)
	d.isTidy()
	d.journalWorks()
}

// TestServingOnAFullDisk: the daemon comes up, answers, and takes the update
// when there is room.
func TestServingOnAFullDisk(t *testing.T) {
	tried(t)
	stubs := fixtures.Stubs()
	d, e := fullDevice(t, 24<<20, stubs, "none")
	before, err := d.Store.Pointers()
	require.NoError(t, err)
	pack := packageOf(t, stubs, fixtures.Release{Version: "1.2.0", Files: bulk("1.2.0")})
	release := e.Fill(t, 0)
	d.must(0, "recover")
	d.serve()
	d.failedFull(d.run("--json", "install", pack), before)
	d.must(0, "rollback")
	release()
	d.must(0, "install", pack)
}

// TestFillingUpMeanwhile: other programs fill the disk in each state of an
// update, after the space was checked.
func TestFillingUpMeanwhile(t *testing.T) {
	tried(t)
	stubs := fixtures.Stubs()
	d, e := fullDevice(t, 48<<20, stubs, "none")
	before, err := d.Store.Pointers()
	require.NoError(t, err)
	fillInodes(t, e, fewInodes)
	ways := map[string]func() func(){
		"bytes":  func() func() { return e.Fill(t, 0) },
		"inodes": func() func() { return fillInodes(t, e, 0) },
	}
	states := []engine.State{
		engine.Downloading, engine.Verifying, engine.Extracting, engine.Staging,
		engine.Switching, engine.Restarting, engine.CheckingHealth, engine.Committing, engine.Committed,
	}
	ends := map[string]int{}
	n := 0
	for k, what := range []string{"bytes", "inodes"} {
		fill := ways[what]
		for i, s := range states {
			if !sweeptest.OneIn(t, 2, i+k) {
				continue
			}
			n++
			version := fmt.Sprintf("2.%d.0", n)
			pack := packageOf(t, stubs, fixtures.Release{Version: version, Files: bulk(version)})
			var release func()
			m := d.boot()
			m.standAtEach(func(at engine.State) bool {
				if at == s {
					release = fill()
				}
				return false
			}, "install", pack)
			m.off()
			require.NotNil(t, release, "no update was in %s", s)
			u := d.status().Last
			ends[fmt.Sprintf("%s in %s: %s", what, s, u.State)]++
			said, _ := os.ReadFile(d.log)
			switch u.State {
			case engine.Committed:
				d.isWhole(version)
			case engine.Failed, engine.RolledBack:
				require.Equal(t, "DISK_FULL", u.Cause.Code, "%s", said)
				require.Equal(t, "local", u.Cause.Class, "%s", said)
				d.isWhole(before.Current)
			default:
				require.Fail(t, "the update ended as "+string(u.State), "%s in %s: %s", what, s, said)
			}
			require.Empty(t, d.status().Quarantine)
			d.isTidy()
			d.journalWorks()
			release()
			if u.State == engine.Committed {
				d.must(0, "rollback")
			} else {
				d.must(0, "install", pack)
				d.must(0, "rollback")
			}
			p, err := d.Store.Pointers()
			require.NoError(t, err)
			require.Equal(t, before.Current, p.Current)
		}
	}
	t.Logf("disk filled meanwhile: %v", ends)
}
