package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/stepstest"
)

// The versions' manifests and the shared directory answer the engine's questions about data.
func TestDataOfTheDevice(t *testing.T) {
	d := testDevice(t)
	stepstest.Publish(t, d.store, "2.0.0", map[string]string{"bin/x": "#!/bin/sh\n"},
		versions.Brought{Writable: []versions.Writable{{Path: "data", Snapshot: true}}})
	stepstest.Publish(t, d.store, "2.1.0", map[string]string{"pre": "#!/bin/sh\n"},
		versions.Brought{Hooks: map[versions.Hook]string{versions.PreSwitch: "pre"}})
	snaps := d.snapshots
	x := data{d.store, snaps}
	for _, c := range []struct {
		from, to string
		owes     bool
	}{{"1.0.0", "1.1.0", false}, {"1.0.0", "2.0.0", true}, {"2.0.0", "1.0.0", true}, {"1.0.0", "2.1.0", true}, {"2.1.0", "1.0.0", false}, {"", "2.0.0", true}} {
		owes, err := x.Owes(c.from, c.to)
		require.NoError(t, err)
		require.Equal(t, c.owes, owes, "from %q to %q", c.from, c.to)
	}
	shared, err := d.root.Resolve(d.cfg.Paths.Shared)
	require.NoError(t, err)
	db := filepath.Join(shared, "data/db")
	require.NoError(t, os.MkdirAll(filepath.Dir(db), 0o755))
	require.NoError(t, os.WriteFile(db, []byte("old"), 0o600))
	_, err = snaps.Take(t.Context(), "u-1", []string{"data"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(db, []byte("new"), 0o600))
	pending, err := x.Pending("u-1")
	require.NoError(t, err)
	require.Equal(t, []string{"data"}, pending)
	_, err = x.Restore("u-1")
	require.NoError(t, err)
	text, err := os.ReadFile(db)
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
}
