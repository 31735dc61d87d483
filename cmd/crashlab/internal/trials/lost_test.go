//go:build linux && amd64

package trials_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/sweeptest"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
)

// TestDamagedJournal damages the journal of a device that was cut in a state of
// an update, in every way and in every state, and boots it. The whole sweep tries each way
// in each state.
func TestDamagedJournal(t *testing.T) {
	tried(t)
	scenes := film(t)
	all := damages()
	trials := 0
	for i, s := range scenes {
		for k, d := range all {
			if !sweeptest.OneIn(t, 4, i+k) {
				continue
			}
			trials++
			t.Run(s.String()+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				trial(t, s, d, (i+k)%3 == 0)
			})
		}
	}
	for _, s := range scenes {
		if s.state == engine.Extracting || s.state == engine.CheckingHealth {
			t.Run(s.String()+"/not to be written", func(t *testing.T) {
				t.Parallel()
				unwritable(t, s)
			})
		}
	}
	t.Logf("damaged journals: %d trials, %d damages in %d states", trials, len(all), len(scenes))
}

// trial boots a damaged device, by hand to the end when rescue is set.
func trial(t *testing.T, s scene, dam damage, rescue bool) {
	d := copyOf(t, s.from, filepath.Join(t.TempDir(), "device"))
	dam.harm(t, d.journalPath())
	harmed, _ := os.ReadFile(d.journalPath()) // there may be none
	before, err := d.Store.Pointers()
	require.NoError(t, err)

	// The oneshot repairs what it can. It makes current lead to a whole version
	// and says when it could not write the journal.
	first := d.run("recover")
	require.Contains(t, []int{0, 1}, first.exit, "%s", first)
	if dam.either {
		dam.opens, dam.kept = first.exit == 0, first.exit != 0
	}
	require.Equal(t, dam.opens, first.exit == 0, "%s", first)
	p, err := d.Store.Pointers()
	require.NoError(t, err)
	require.Contains(t, []string{before.Current, s.flow.release.Version, "1.1.0", "1.0.0"}, p.Current)

	if rescue {
		r := d.run("recover", "--finish")
		require.Contains(t, []int{0, 1, 10, 12}, r.exit, "%s", r)
	}
	d.serve()
	api := client.Socket(d.socket())
	defer api.Close()
	// The daemon already works when it finds damage that only a look at every record finds.
	d.eventually("the damage to be known", func() bool {
		st, err := api.Status(t.Context())
		return err == nil && st.State == engine.Idle && st.Journal.Damaged
	})
	current := d.isSound(s.flow)
	if !s.flow.broken {
		d.runs(current)
	}
	d.isTidy()
	d.journalWorks()
	d.toldOf(dam, harmed)

	d.must(0, "install", s.next)
	require.Equal(t, "1.4.0", d.currently())
	d.runs("1.4.0")
	d.isTidy()
	d.journalWorks()
	require.True(t, d.status().Journal.Damaged, "it is not forgotten")
}

// isSound demands that current is whole, and a version to which the flow may have led.
func (d *device) isSound(f flow) string {
	d.t.Helper()
	if !f.broken {
		return d.isWhole(f.ends...)
	}
	require.Contains(d.t, f.ends, d.currently())
	return d.currently()
}

func (d *device) currently() string {
	d.t.Helper()
	p, err := d.Store.Pointers()
	require.NoError(d.t, err)
	return p.Current
}

// toldOf demands that the journal tells of its damage, and that the damaged file
// is at the path that the journal tells.
func (d *device) toldOf(dam damage, harmed []byte) {
	d.t.Helper()
	r, err := journal.OpenReader(d.journalPath(), journal.Options{})
	require.NoError(d.t, err)
	found := r.State().Damage
	require.NotNil(d.t, found)
	require.NotEmpty(d.t, found.Kind)
	require.NotEmpty(d.t, found.Text)
	story := d.must(0, "journal", "show", "--all").out
	require.Contains(d.t, strings.Join(strings.Fields(story), " "), strings.Join(strings.Fields(found.Text), " "))
	kept, err := filepath.Glob(d.journalPath() + ".damaged-*")
	require.NoError(d.t, err)
	if !dam.kept {
		require.Empty(d.t, found.Kept)
		require.Empty(d.t, kept)
		return
	}
	require.Equal(d.t, []string{found.Kept}, kept)
	require.Contains(d.t, story, filepath.Base(found.Kept))
	if info, err := os.Stat(found.Kept); dam.opens || err == nil && info.IsDir() {
		return // it was used for a while, or was not a file
	}
	data, err := os.ReadFile(found.Kept)
	require.NoError(d.t, err)
	require.True(d.t, bytes.Equal(harmed, data), "what is kept is what was found")
}

// unwritable boots a device whose journal cannot be written. No update begins
// without the journal, and everything goes on when the journal can be written again.
func unwritable(t *testing.T, s scene) {
	d := copyOf(t, s.from, filepath.Join(t.TempDir(), "device"))
	immutable(t, d.journalPath(), true)
	freed := false
	defer func() {
		if !freed {
			immutable(t, d.journalPath(), false)
		}
	}()
	before, err := os.ReadFile(d.journalPath())
	require.NoError(t, err)
	r := d.must(1, "recover")
	require.Contains(t, r.errors, "recovered without a journal")
	d.isSound(s.flow)
	d.must(1, "install", s.next)
	d.startServing()
	d.eventually("the daemon to try again", func() bool {
		said, _ := os.ReadFile(d.log)
		return bytes.Contains(said, []byte("opening it again"))
	})
	d.must(0, "journal", "list")
	after, err := os.ReadFile(d.journalPath())
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))

	immutable(t, d.journalPath(), false)
	freed = true
	d.becomesIdle()
	require.Equal(t, "1.2.0", d.isSound(s.flow), "nothing is lost: the update goes on")
	require.False(t, d.status().Journal.Damaged)
	d.runs("1.2.0")
	d.isTidy()
	d.journalWorks()
}

// immutableFlag is FS_IMMUTABLE_FL of linux/fs.h.
const immutableFlag = 0x10

// immutable is chattr +i: not even root may write.
func immutable(t *testing.T, path string, on bool) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	require.NoError(t, err)
	flags &^= immutableFlag
	if on {
		flags |= immutableFlag
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags))
}

// TestJournalLostWhileServicesAreStopped: the updater, not the device, is killed
// when it has stopped the services to switch. The journal, which would tell that
// they are stopped, is lost. The marker tells it.
func TestJournalLostWhileServicesAreStopped(t *testing.T) {
	tried(t)
	for _, dam := range damages()[:3] {
		d := newDevice(t, filepath.Join(t.TempDir(), "device"), builttest.Services(t), fixtures.Options{})
		d.must(0, "install", packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.1.0"}))
		d.runs("1.1.0")
		next := packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.2.0"})
		require.NoError(t, d.Stop(t.Context()))
		m := d.boot()
		require.True(t, m.standAtEach(func(s engine.State) bool { return s == engine.Switching }, "install", next))
		require.NoError(t, m.KillAll(t.Context()))
		m.release()
		require.Equal(t, "1.1.0", d.currently())
		dam.harm(t, d.journalPath())
		m.must(1, "recover")
		m.start("serve")
		d.becomesIdle()
		d.runs("1.1.0")
		require.True(t, d.status().Journal.Damaged)
		d.must(0, "install", next)
		d.runs("1.2.0")
		d.isTidy()
	}
}
