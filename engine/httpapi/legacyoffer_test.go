package httpapi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// An old client sees an offer that waits as a package that is ready: it cannot download
// another one in its place, and can have it installed.
func TestLegacyClientsSeeAnOfferThatWaitsAsReady(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	src := steps.Source{URL: source.New("http://server/bundle"), Version: "1.1.0", MD5: "0123456789abcdef0123456789abcdef", Size: 7}
	id, err := r.Install(t.Context(), engine.InstallRequest{Source: src, Hold: true, Origin: &journal.Origin{Source: "channel stable", Action: "12"}, Patience: 48 * time.Hour})
	require.NoError(t, err)
	r.Until(engine.Ready)
	h := httpapi.New(httpapi.Options{Engine: r.Engine, Clock: clock.System()})

	require.Contains(t, text(t, ask(h, "GET", progress, "")), `"stage":"toInstall","progress":100`)
	got := text(t, ask(h, "POST", download, wanted))
	require.Equal(t, `{"code":409,"msg":"Operation already in progress: toInstall","stage":"toInstall","progress":100}`, got)
	require.Equal(t, id, r.Status().Update.ID, "the offer still waits")
	require.Contains(t, text(t, ask(h, "POST", install, `{"version":"1.2.0"}`)), `"code":404`)

	require.JSONEq(t, `{"code":200,"msg":"success","data":null}`, text(t, ask(h, "POST", install, `{"version":"1.1.0"}`)))
	st := r.Until(engine.Idle)
	require.Equal(t, engine.Committed, st.Last.State)
	require.Equal(t, id, st.Last.ID)
}

// What the journal tells is in the answer to the request that has changed it.
func TestAHoldIsInItsOwnAnswer(t *testing.T) {
	r := enginetest.NewDevice().Up(t)
	h := httpapi.New(httpapi.Options{Engine: r.Engine, Clock: clock.System()})
	require.Contains(t, text(t, ask(h, "POST", fleetPath+"/hold", `{"why":"a fair","for":"1h"}`)), `"why":"a fair","by":{"kind":"user"`)
	require.NotContains(t, text(t, ask(h, "POST", fleetPath+"/release", "")), "a fair")
	refusedAs(t, ask(h, "POST", fleetPath+"/release", ""), 409, "nothing-to-do")
}
