package engine_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// A URL's secrets are kept beside the journal until the update is closed, and for an
// update that waits as long.
func TestSecretsOfAURLGoWithTheUpdate(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t)
	url := source.New("https://me:secret@server/bundle?token=secret")
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: url}, Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	require.True(t, d.Sources[id].Equal(url))
	require.JSONEq(t, `{"url":"https://server/bundle?token=…","withheld":true}`, string(d.J.State().Open.Source))
	_, err = r.Proceed(t.Context(), "1.1.0")
	require.NoError(t, err)
	r.Until(engine.Idle)
	require.Empty(t, d.Sources)
}

// The record of a URL without secrets is as it always was, and nothing else is written.
func TestURLWithoutSecretsIsInTheRecord(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t)
	_, err := r.Install(t.Context(), engine.InstallRequest{Source: bundleOf("1.1.0"), Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	require.Empty(t, d.Sources)
	var has steps.Source
	require.NoError(t, json.Unmarshal(d.J.State().Open.Source, &has))
	require.Equal(t, bundleOf("1.1.0"), has)
}

// When the secrets cannot be kept, nothing is accepted.
func TestSecretsThatCannotBeKept(t *testing.T) {
	d := enginetest.NewDevice()
	r := d.Up(t, func(c *engine.Config) { c.Keeper = forgetful{d} })
	_, err := enginetest.Secretive(t.Context(), r.Engine)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotContains(t, err.Error(), "secret")
	require.Nil(t, d.J.State().Open)
}

// forgetful is a device that keeps no source.
type forgetful struct{ *enginetest.Device }

func (forgetful) KeepSource(string, source.URL) error { return fs.ErrPermission }
