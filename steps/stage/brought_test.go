package stage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stage"
	"github.com/tope/updater/steps/stepstest"
)

// What Verify found that the release brings is in the version's manifest, where
// it can be gone back to by.
func TestWhatTheReleaseBrings(t *testing.T) {
	w := newWorld(t)
	brought := steps.Verified{Epoch: 7, Brought: versions.Brought{
		Hooks:    map[versions.Hook]string{versions.PreSwitch: "services/device-api/device-api"},
		Health:   []versions.Health{{Service: "device-api", Kind: "active", Stable: "3s"}},
		Writable: []versions.Writable{{Path: "data", Snapshot: true}},
	}}
	w.task.Facts.Verify = &brought
	w.do()
	m, err := w.dev.Manifest("1.2.0")
	require.NoError(t, err)
	require.Equal(t, brought, steps.Verified{Epoch: m.Epoch, Brought: m.Brought})
}

func TestWhatTheReleaseDoesNotHave(t *testing.T) {
	for name, b := range map[string]versions.Brought{
		"a hook that is missing":    {Hooks: map[versions.Hook]string{versions.PreSwitch: "hooks/none"}},
		"a hook that is not a file": {Hooks: map[versions.Hook]string{versions.PostSwitch: "services"}},
		"a link that is missing":    {Links: []string{"bin/none"}},
		"a hook outside":            {Hooks: map[versions.Hook]string{versions.HealthHook: "../x"}},
		"a hook of no known name":   {Hooks: map[versions.Hook]string{"never": "services/device-api/device-api"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.task.Facts.Verify = &steps.Verified{Brought: b}
			stepstest.Fails(t, stage.New(w.dev.Store, nil), w.task, steps.Refused, steps.InvalidManifest)
			_, err := w.dev.Manifest("1.2.0")
			require.ErrorIs(t, err, versions.ErrNotFound)
		})
	}
}
