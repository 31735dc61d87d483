package stage_test

import (
	"testing"
	"time"

	"github.com/tope/updater/platform/clock"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stage"
	"github.com/tope/updater/steps/stepstest"
)

// Verify's findings about what the release brings are in the version's manifest, for
// a later rollback to the version.
func TestWhatTheReleaseBrings(t *testing.T) {
	w := newWorld(t)
	brought := steps.Verified{Epoch: 7, Brought: versions.Brought{
		Hooks:    map[versions.Hook]string{versions.PreSwitch: "services/device-api/device-api"},
		Health:   []health.Check{{Service: "device-api", Kind: "active", Stable: clock.Duration(3 * time.Second)}},
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
		"a bad health check":        {Health: []health.Check{{Service: "x", Kind: health.HTTP, URL: "http://"}}},
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
