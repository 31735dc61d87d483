package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
)

// testDevice is a device with versions 1.0.0 (current, factory), 1.1.0 and 1.2.0.
func testDevice(t *testing.T) *parts {
	p := fixtures.Stubs()
	f, err := p.Device(t.Context(), filepath.Join(t.TempDir(), "device"), fixtures.Release{Version: "1.0.0"}, fixtures.Options{Manager: "none"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.RemoveTree(f.Root)) })
	for _, v := range []string{"1.1.0", "1.2.0"} {
		require.NoError(t, p.Install(t.Context(), f, fixtures.Release{Version: v}))
	}
	root, err := disk.NewRoot(f.Root)
	require.NoError(t, err)
	cfg, err := config.Load(f.Config)
	require.NoError(t, err)
	d := &device{cfg: cfg, root: root, clock: clock.System(), log: slog.New(slog.DiscardHandler)}
	made, err := d.parts(false)
	require.NoError(t, err)
	return made
}

func TestTidyKeepsWhatIsNeededAndNothingElse(t *testing.T) {
	d := testDevice(t)
	k := d.keeper()
	k.keep = 0

	open := k.WorkDir("u-open")
	require.NoError(t, k.MakeWorkDir("u-open"))
	require.NoError(t, k.MakeWorkDir("u-next"))
	require.NoError(t, k.MakeWorkDir("u-old"))
	require.NoError(t, os.Mkdir(d.store.Staging("u-open"), 0o755))
	require.NoError(t, os.Mkdir(d.store.Staging("u-old"), 0o755))
	shared, err := d.root.Resolve(d.cfg.Paths.Shared)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(shared, "data"), 0o755))
	for _, u := range []string{"u-open", "u-old"} {
		_, err := k.snapshots.Take(t.Context(), u, []string{"data"})
		require.NoError(t, err)
	}

	removed, err := k.Tidy(t.Context(), engine.Needs{Update: "u-open", Next: "u-next", Versions: []string{"1.2.0"}})
	require.NoError(t, err)
	require.Contains(t, removed, "work/u-old")
	require.Contains(t, removed, "1.1.0")
	require.Contains(t, removed, ".snapshots/.snapshot-u-old")
	require.DirExists(t, filepath.Join(d.store.Dir(), snapshot.Vault, ".snapshot-u-open"))
	require.DirExists(t, open)
	require.DirExists(t, k.WorkDir("u-next"))
	require.DirExists(t, d.store.Staging("u-open"))
	require.NoDirExists(t, d.store.Staging("u-old"))
	for version, want := range map[string]versions.State{"1.0.0": versions.Complete, "1.1.0": versions.Missing, "1.2.0": versions.Complete} {
		got, err := d.store.State(version)
		require.NoError(t, err)
		require.Equal(t, want, got, version)
	}

	removed, err = k.Tidy(t.Context(), engine.Needs{Update: "u-open", Next: "u-next", Versions: []string{"1.2.0"}})
	require.NoError(t, err)
	require.Empty(t, removed, "a second time there is nothing left to do")
}

// A journal that is missing is a loss on a device that was updated before; on a
// new device it is not a loss.
func TestALostJournalIsNoted(t *testing.T) {
	for _, updated := range []bool{false, true} {
		d := testDevice(t)
		if updated {
			require.NoError(t, d.store.Point(versions.Previous, "1.0.0"))
			require.NoError(t, d.store.Point(versions.Current, "1.1.0"))
		}
		u, err := d.start(t.Context(), opening{create: true})
		require.NoError(t, err)
		damage := u.journal.State().Damage
		require.NoError(t, u.close())
		if !updated {
			require.Nil(t, damage)
			continue
		}
		require.NotNil(t, damage)
		require.Equal(t, "missing", damage.Kind)
	}
}

// Recovery at boot must work with nothing but the versions: no manager, no
// network, no journal.
func TestRecoveryWithoutAJournalMakesCurrentResolve(t *testing.T) {
	d := testDevice(t)
	require.NoError(t, os.Remove(filepath.Join(d.store.Dir(), versions.Current)))
	e, err := d.quietEngine(newScratch())
	require.NoError(t, err)
	report, err := e.Recover(t.Context(), engine.Oneshot)
	require.NoError(t, err)
	require.True(t, report.Whole)
	p, err := d.store.Pointers()
	require.NoError(t, err)
	require.Equal(t, "1.0.0", p.Current)
}

// An update may end in the recovery at boot, which has no daemon's parts. device-api is
// owed that end as well.
func TestAnEndInRecoveryIsOwed(t *testing.T) {
	d := testDevice(t)
	d.cfg.DeviceAPI.URL = "http://127.0.0.1:9080"
	j := newScratch()
	before := versions.Pointers{Current: "0.9.0"} // somebody has moved current since
	_, err := j.Append(journal.Record{
		Update: "u", Phase: journal.Outcome, To: engine.Ready, Accept: &journal.Accept{Kind: engine.Install, From: "0.9.0", To: "1.1.0", Before: before, Hold: true},
	})
	require.NoError(t, err)
	e, err := d.quietEngine(j)
	require.NoError(t, err)
	_, err = e.Recover(t.Context(), engine.Oneshot)
	require.NoError(t, err)
	outbox := j.State().Outbox
	require.Len(t, outbox, 1)
	require.Equal(t, []any{deviceAPI, "u", engine.Failed, "1.0.0"}, []any{outbox[0].To, outbox[0].Update, outbox[0].State, outbox[0].Running})
}
