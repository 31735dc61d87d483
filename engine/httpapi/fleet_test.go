package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/token"
)

const fleetPath = "/api/v2/fleet"

// A check asks the source, and what has come of it is told: an error is one of the source,
// or of this device.
func TestCheckAsksTheSource(t *testing.T) {
	d := httpapitest.New()
	r := ask(d.Handler(), "POST", fleetPath+"/check", "")
	require.Equal(t, 200, r.StatusCode)
	var s fleet.Status
	require.NoError(t, json.Unmarshal([]byte(text(t, r)), &s))
	require.Equal(t, "channel stable", s.Source)
	require.Equal(t, []string{"check the fleet"}, d.Calls())

	d.Fail(errors.New("https://h/the-source.channel: 503"))
	p := refusedAs(t, ask(d.Handler(), "POST", fleetPath+"/check", ""), 502, "source")
	require.Contains(t, p.Detail, "the source of offers could not be asked: https://h/the-source.channel: 503")
	d.Fail(fmt.Errorf("%w: read-only file system", engine.ErrJournal))
	refusedAs(t, ask(d.Handler(), "POST", fleetPath+"/check", ""), 503, "journal")
}

// What a server has answered is not for those who may not read what is private.
func TestWhyACheckFailedIsPrivate(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	g.d.Fail(errors.New("words of a service"))
	check := example{"POST", fleetPath + "/check", "", ""}
	got := g.ask(httpapi.LAN, check, g.texts[token.Install])
	require.Equal(t, 502, got.status)
	require.NotContains(t, got.body, "words of a service")
	require.Contains(t, g.ask(httpapi.LAN, check, g.texts["all"]).body, "words of a service")
}

// A device without a source holds and releases, and says of all else what to configure.
func TestWithoutASource(t *testing.T) {
	d := httpapitest.New()
	d.Fold(func(f *journal.Fold) { f.Open = nil })
	o := d.Options()
	o.Fleet = nil
	h := httpapi.New(o)
	for _, verb := range []string{"/check", "/install"} {
		p := refusedAs(t, ask(h, "POST", fleetPath+verb, ""), 404, "not-found")
		require.Contains(t, p.Detail, "this device asks nobody what to install; set [fleet] channel or hawkbit")
	}
	require.Equal(t, 202, ask(h, "POST", fleetPath+"/hold", `{"why":"a fair"}`).StatusCode)
	require.Equal(t, 202, ask(h, "POST", fleetPath+"/release", "").StatusCode)
	require.Equal(t, []string{"hold until released: a fair", "unhold"}, d.Calls())

	said := text(t, ask(h, "GET", fleetPath, ""))
	var s fleet.Status
	require.NoError(t, json.Unmarshal([]byte(said), &s))
	require.Empty(t, s.Source)
	require.Contains(t, s.Text, "this device asks nobody")
	require.Equal(t, "a fair", s.Held.Why, "what the journal knows is told all the same")
	require.Len(t, s.Outbox, 1)
	require.NotContains(t, text(t, ask(h, "GET", "/api/v2/status", "")), `"fleet"`)
}

// The offer that waits is installed, as the request of whoever asks; nothing else is.
func TestTheOfferThatWaitsIsInstalled(t *testing.T) {
	d := httpapitest.New()
	r := ask(d.Handler(), "POST", fleetPath+"/install", "")
	require.Equal(t, 202, r.StatusCode)
	require.Equal(t, "/api/v2/updates/u2", r.Header.Get("Location"))
	require.Equal(t, []string{"check the fleet", "proceed 1.2.0"}, d.Calls())
	require.Equal(t, journal.ByUser, d.Asker().Kind)

	for name, c := range map[string]struct {
		change func(f *journal.Fold)
		status int
		kind   string
	}{
		"not downloaded":        {func(f *journal.Fold) { f.Open = nil }, 404, "not-found"},
		"under way":             {func(f *journal.Fold) { f.Open.State = "Downloading" }, 409, "busy"},
		"goes on already":       {func(f *journal.Fold) { f.Open.Hold = false }, 409, "busy"},
		"a local one":           {func(f *journal.Fold) { f.Open.Origin = nil }, 409, "busy"},
		"over, not cleaned yet": {func(f *journal.Fold) { f.Open.State, f.Open.Terminal = "Committed", true }, 404, "not-found"},
	} {
		d := httpapitest.New()
		d.Fold(c.change)
		refusedAs(t, ask(d.Handler(), "POST", fleetPath+"/install", ""), c.status, c.kind)
		require.Empty(t, d.Calls(), name)
	}
}

// stops is a source that has stopped what it offered, or lets it go on, since it was asked.
type stops struct {
	httpapi.Fleet
	d  *httpapitest.Device
	to journal.State
}

func (s stops) Check(context.Context) error {
	s.d.Fold(func(f *journal.Fold) { f.Open.State, f.Open.Terminal = s.to, engine.Terminal(s.to) })
	return nil
}

// An offer that its source has stopped since is not installed, whoever asks for it.
func TestTheSourceIsAskedBeforeItsOfferIsInstalled(t *testing.T) {
	for to, status := range map[journal.State]int{engine.Cancelled: 404, engine.Extracting: 202} {
		d := httpapitest.New()
		o := d.Options()
		o.Fleet = stops{o.Fleet, d, to}
		require.Equal(t, status, ask(httpapi.New(o), "POST", fleetPath+"/install", "").StatusCode)
		require.Empty(t, d.Calls())
	}
}

// How long a hold lasts is taken as the document says, on both sides of each limit.
func TestHowLongAHoldLasts(t *testing.T) {
	s := loadSpec(t)
	d := httpapitest.New()
	now := d.Clock.Now().UTC().Round(time.Second)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	long := strings.Repeat("喷", 200)
	for _, c := range []struct{ body, want string }{
		{`{"why":"a fair"}`, "hold until released: a fair"},
		{`{"why":"a fair","for":"90s"}`, "hold until " + at(90*time.Second) + ": a fair"},
		{`{"why":"a fair","for":"72h"}`, "hold until " + at(72*time.Hour) + ": a fair"},
		{`{"why":"a fair","for":"999999h"}`, "hold until " + at(999999*time.Hour) + ": a fair"},
		{`{"why":"a fair","until":"2226-12-24T18:00:00+01:00"}`, "hold until 2226-12-24T17:00:00Z: a fair"},
		{`{"why":"` + long + `"}`, "hold until released: " + long},
		{`{"why":"a fair","for":"1h30m"}`, "400"},
		{`{"why":"a fair","for":"0h"}`, "400"},
		{`{"why":"a fair","for":"01h"}`, "400"},
		{`{"why":"a fair","for":"-1h"}`, "400"},
		{`{"why":"a fair","for":"+1h"}`, "400"},
		{`{"why":"a fair","for":"1000000h"}`, "400"},
		{`{"why":"a fair","for":"h"}`, "400"},
		{`{"why":"a fair","for":"1d"}`, "400"},
		{`{"why":"a fair","for":""}`, "400"},
		{`{"why":"a fair","for":3600}`, "400"},
		{`{"why":"a fair","for":"1h","until":"2226-12-24T18:00:00Z"}`, "400"},
		{`{"why":"a fair","until":"tomorrow"}`, "400"},
		{`{"why":"a fair","until":"2226-12-24"}`, "400"},
		{`{"for":"1h"}`, "400"},
		{`{"why":""}`, "400"},
		{`{"why":"` + long + `喷"}`, "400"},
		{`{"why":"a\u202eb"}`, "400"},
		{`{"why":"a fair","because":"b"}`, "400"},
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(c.body), &v))
		said := s.check("request", s.at("components", "schemas", "HoldRequest"), v)
		d := httpapitest.New()
		r := ask(d.Handler(), "POST", fleetPath+"/hold", c.body)
		if c.want == "400" {
			refusedAs(t, r, 400, "invalid")
			require.Empty(t, d.Calls(), c.body)
			require.Error(t, said, c.body)
			continue
		}
		require.Equal(t, 202, r.StatusCode, c.body)
		require.Equal(t, []string{c.want}, d.Calls())
		require.NoError(t, said, c.body)
	}
	for _, past := range []string{at(0), at(-time.Hour), "0001-01-01T00:00:00Z"} {
		d := httpapitest.New()
		p := refusedAs(t, ask(d.Handler(), "POST", fleetPath+"/hold", `{"why":"a fair","until":"`+past+`"}`), 409, "nothing-to-do")
		require.Contains(t, p.Detail, past+" is over already; this device's clock says "+at(0))
		require.Empty(t, d.Calls())
	}
}

// Each thing that may be private is left out for strangers, and the rest is there: the
// fake's status has private words in all places that there are.
func TestWhatStrangersSeeOfTheFleet(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	e := example{"GET", fleetPath, "", ""}
	said := g.ask(httpapi.Loopback, e, "").body
	for _, word := range secretWords {
		require.NotContains(t, said, word)
	}
	var s fleet.Status
	require.NoError(t, json.Unmarshal([]byte(said), &s))
	require.Equal(t, "version 1.2.0 is ready and waits (busy)", s.Text)
	require.Equal(t, "1.2.0", s.Offer.Version)
	require.Equal(t, "busy", s.Wait.Reason)
	require.Equal(t, "the source could not be asked", s.Failure)
	require.Equal(t, "a fair", s.Held.Why)
	require.Equal(t, "something speaks against it", s.Probation.Doubt)
	require.Equal(t, "UNHEALTHY", s.Ends[0].Code)
	require.Equal(t, "it ended", s.Outbox[0].Error.Text)
	said = g.ask(httpapi.Loopback, status, "").body
	require.Contains(t, said, `"fleet":"version 1.2.0 is ready and waits (busy); somebody has to look at the source"`)

	full := g.ask(httpapi.SocketOwner, e, "").body
	require.Equal(t, 10, strings.Count(full, "words of a service"))
	require.Contains(t, full, "alice")
	require.Contains(t, full, "the-source")
}

// An offer has no version before its head was read.
func TestStrangersSeeAnOfferWithoutAVersion(t *testing.T) {
	s := httpapi.PublicFleet(fleet.Status{Source: "hawkbit", Update: &engine.UpdateStatus{State: engine.Requested}})
	require.Equal(t, "an offer is being installed (Requested)", s.Text)
}
