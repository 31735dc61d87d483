package hawkbit_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/hawkbit"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/secret"
)

func TestOffer(t *testing.T) {
	w := newWorld(t)
	a := w.ask()
	require.Equal(t, fleet.Answer{Identify: true, Next: 30 * time.Second, Text: "nothing is assigned to this device"}, a)

	w.server.Assign("dev1", 1, dditest.Forced)
	a = w.ask()
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("a bundle")))
	require.Equal(t, journal.Origin{Source: "hawkbit", Action: "1", Digest: sum}, a.Offer.Origin)
	require.Equal(t, sum, a.Offer.Source.SHA256)
	require.EqualValues(t, 8, a.Offer.Source.Size)
	require.Equal(t, "app-1.1.0.tope", a.Offer.Source.Name)
	require.Equal(t, "hawkbit", a.Offer.Source.Credential)
	require.Equal(t, host+"/DEFAULT/controller/v1/dev1/softwaremodules/1/artifacts/app-1.1.0.tope", a.Offer.Source.URL.String())
	require.Equal(t, "1.1.0", a.Offer.Version)
	require.Equal(t, "action 1 brings app-1.1.0.tope, version 1.1.0", a.Text)
	require.Equal(t, []string{"action 1", "sha256 " + sum}, a.Details)
}

// TestDo has what an assignment's kind and its window make of an offer.
func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		handling dditest.Handling
		window   string
		do       fleet.Do
		forced   bool
		shut     bool
	}{
		"forced":                            {dditest.Forced, "", fleet.Install, true, false},
		"soft":                              {dditest.Soft, "", fleet.Install, false, false},
		"downloadonly":                      {dditest.DownloadOnly, "", fleet.Fetch, true, false},
		"forced, and the window is shut":    {dditest.Forced, "shut", fleet.Fetch, true, true},
		"forced, and the window is open":    {dditest.Forced, "open", fleet.Install, true, false},
		"soft, and the window is shut":      {dditest.Soft, "shut", fleet.Fetch, false, true},
		"confirmation":                      {dditest.Forced, "ask", fleet.Ask, true, false},
		"confirmation of a soft assignment": {dditest.Soft, "ask", fleet.Ask, false, false},
	} {
		w := newWorld(t)
		w.server.Switch(func(s *dditest.Switches) { s.Confirmation = c.window == "ask" })
		action := w.server.Assign("dev1", 1, c.handling)
		if c.window == "shut" || c.window == "open" {
			w.server.Window(action, c.window == "open")
		}
		o := w.offered()
		require.Equal(t, []any{c.do, c.forced, c.shut}, []any{o.Do, o.Forced, o.Window}, name)
	}
}

// TestLooks: hawkBit makes an entry of each look at an action. There are two, since the
// first one changes the action's row, and one for each change after that.
func TestLooks(t *testing.T) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	w.server.Window("1", false)
	o := w.accept()
	for range 5 {
		require.Equal(t, o, w.offered().Origin)
	}
	require.Equal(t, 2, w.retrieved("1"))
	w.server.Window("1", true)
	for range 5 {
		require.Equal(t, fleet.Install, w.offered().Do)
	}
	require.Equal(t, 3, w.retrieved("1"))
	w.tell(w.notice(o, "Downloading", false))
	w.restart()
	require.Equal(t, o, w.offered().Origin)
	require.Equal(t, 4, w.retrieved("1"))
}

// TestFacts: they are returned when an action comes, and when it goes.
func TestFacts(t *testing.T) {
	w := newWorld(t)
	require.Nil(t, w.ask().Facts)
	w.server.Assign("dev1", 1, dditest.Forced)
	require.JSONEq(t, `{"actions":[{"id":"1","times":1}]}`, string(w.ask().Facts))
	require.Nil(t, w.ask().Facts)
	o := w.accept()
	w.restart()
	require.Nil(t, w.ask().Facts)
	w.tell(w.notice(o, "Committed", true))
	w.q.Accepted = nil
	require.JSONEq(t, `{"actions":[{"id":"1","times":1,"over":true}],"done":"`+o.Action+" "+o.Digest+`"}`, string(w.ask().Facts))
	require.Nil(t, w.ask().Facts)
	w.restart()
	require.Nil(t, w.ask().Facts)
}

// TestFactsAreBounded: actions that a server shows in turn, and never lets go of.
func TestFactsAreBounded(t *testing.T) {
	other := &otherServer{}
	w := at(t, other)
	for i := range 1000 {
		other.offer(fmt.Sprint(i))
		require.Equal(t, fmt.Sprint(i), w.offered().Origin.Action)
	}
	require.Less(t, len(w.q.Facts), 500)
}

func TestUnfit(t *testing.T) {
	w := newWorld(t)
	set := w.server.AddSet(dditest.Set{Name: "os", Version: "2", Modules: []dditest.Module{
		{Type: "application", Artifacts: []dditest.File{{Name: "a.tope", Body: []byte("a")}, {Name: "b.tope", Body: []byte("b")}}},
	}})
	w.server.Assign("dev1", set, dditest.Forced)
	o := w.offered()
	require.Equal(t, "the set has several artifacts, among them a.tope and b.tope: this device takes exactly one .tope or .zip", o.Unfit)
	require.Equal(t, "1", o.Origin.Action)
	require.NotEmpty(t, o.Origin.Digest)
	w.restart()
	require.Equal(t, o, w.offered())
	n := w.notice(o.Origin, "Failed", true)
	n.Error = &journal.Failure{Code: "INVALID_PACKAGE", Text: o.Unfit}
	w.tell(n)
	require.Equal(t, dditest.Failed, w.server.Action("1").State)
	require.Equal(t, 7, w.server.Action("1").Code)
	require.Nil(t, w.ask().Offer)
}

// TestConfirm: the word is asked for, refused, and given; the offer stays the same.
func TestConfirm(t *testing.T) {
	w := newWorld(t)
	w.server.Switch(func(s *dditest.Switches) { s.Confirmation = true })
	w.server.Assign("dev1", 1, dditest.Forced)
	o := w.offered()
	require.Equal(t, fleet.Ask, o.Do)
	require.NoError(t, w.source.Confirm(t.Context(), o.Origin, false, "busy printing"))
	require.Equal(t, o, w.offered())
	require.NoError(t, w.source.Confirm(t.Context(), o.Origin, true, ""))
	var said [][]string
	for _, e := range w.entries("1") {
		said = append(said, e.Messages)
	}
	require.Equal(t, [][]string{{"denied", "busy printing"}, {"confirmed"}}, said)
	confirmed := w.offered()
	require.Equal(t, fleet.Install, confirmed.Do)
	require.Equal(t, o.Origin, confirmed.Origin)
	require.ErrorIs(t, w.source.Confirm(t.Context(), journal.Origin{Action: "77"}, true, ""), fleet.ErrNever)
}

// TestCancel: by the server, refused, and offered again; then by a newer assignment.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	o := w.accept()
	w.server.Cancel("1")
	for range 2 {
		a := w.ask()
		require.Nil(t, a.Offer)
		require.Equal(t, &o, a.Cancel)
		require.Equal(t, "it was cancelled at the server", a.CancelWhy)
		w.restart()
	}
	require.NoError(t, w.source.Uncancel(t.Context(), o, "it has begun to switch"))
	require.Equal(t, []string{"it has begun to switch"}, w.entries("1")[0].Messages)
	w.q.Accepted = nil // past Switching
	require.Equal(t, o, w.offered().Origin)

	w.server.Assign("dev1", 2, dditest.Forced)
	require.Equal(t, &journal.Origin{Source: "hawkbit", Action: "1"}, w.ask().Cancel, "what is behind it is not known any more")
	n := w.notice(o, "Cancelled", true)
	n.By = &journal.Asker{Kind: journal.BySource, Source: "hawkbit", Action: "1"}
	w.tell(n)
	require.Equal(t, dditest.Canceled, w.server.Action("1").State)
	require.Equal(t, "2", w.offered().Origin.Action)
}

// TestForceQuit: an operator ends the action without the device. What is accepted is
// cancelled as often as it is asked, until the device has let go of it.
func TestForceQuit(t *testing.T) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	o := w.accept()
	w.server.Cancel("1")
	w.server.ForceQuit("1")
	for range 2 {
		a := w.ask()
		require.Equal(t, &o, a.Cancel)
		require.Equal(t, "the server does not offer it any more", a.CancelWhy)
		w.restart()
	}
	n := w.notice(o, "Cancelled", true)
	n.By = &journal.Asker{Kind: journal.BySource, Source: "hawkbit"}
	w.tell(n)
	w.q.Accepted = nil
	require.Nil(t, w.ask().Cancel)
}

// TestForceQuitWhileItsWindowIsShut: what waits is cancelled, and not kept as what was to
// be downloaded only is.
func TestForceQuitWhileItsWindowIsShut(t *testing.T) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	w.server.Window("1", false)
	o := w.accept()
	w.server.Cancel("1")
	w.server.ForceQuit("1")
	require.Equal(t, &o, w.ask().Cancel)
}

// TestAcceptedElsewhere: an update of another source is not this one's to cancel.
func TestAcceptedElsewhere(t *testing.T) {
	w := newWorld(t)
	w.q.Accepted = &journal.Origin{Source: "channel stable", Action: "1"}
	require.Nil(t, w.ask().Cancel)
	w.server.Assign("dev1", 1, dditest.Forced)
	require.Nil(t, w.ask().Cancel)
	w.server.Cancel("1")
	require.Equal(t, &journal.Origin{Source: "hawkbit", Action: "1"}, w.ask().Cancel)
}

// TestElsewhere: an artifact's link that leads elsewhere is looked at again when the
// server has changed something, and not at each poll.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, dditest.Forced)
	w.web = moved{w.server}
	w.restart()
	for range 5 {
		a, err := w.source.Ask(t.Context(), w.q)
		var e *ddi.Error
		require.True(t, errors.As(err, &e) && e.Kind == ddi.Elsewhere, "%v", err)
		require.ErrorIs(t, err, fleet.ErrHeard)
		require.Nil(t, a.Offer)
		require.Equal(t, 30*time.Second, a.Next)
	}
	require.Equal(t, 2, w.retrieved("1"))
}

// moved is a server whose links to artifacts lead elsewhere.
type moved struct{ *dditest.Server }

func (m moved) RoundTrip(r *http.Request) (*http.Response, error) {
	links := host
	if r.URL.Path == "/DEFAULT/controller/v1/dev1/deploymentBase/1" {
		links = "https://elsewhere.test"
	}
	m.Switch(func(s *dditest.Switches) { s.Links = links })
	return m.Server.RoundTrip(r)
}

// TestHeard: a server that answers with an error is there; one that does not is not.
func TestHeard(t *testing.T) {
	for name, c := range map[string]struct {
		trouble dditest.Trouble
		heard   bool
	}{
		"nobody":        {dditest.Trouble{Unheard: true}, false},
		"lost":          {dditest.Trouble{Lost: true}, false},
		"a wrong token": {dditest.Trouble{Status: 401}, true},
		"a proxy":       {dditest.Trouble{Status: 502, Body: "<html>"}, true},
		"nonsense":      {dditest.Trouble{Status: 200}, true},
		"busy":          {dditest.Busy("7"), true},
	} {
		w := newWorld(t)
		w.server.Switch(func(s *dditest.Switches) { s.Trouble = func(*http.Request) dditest.Trouble { return c.trouble } })
		_, err := w.source.Ask(t.Context(), w.q)
		require.Error(t, err)
		require.Equal(t, c.heard, errors.Is(err, fleet.ErrHeard), name)
	}
}

// TestATokenThatCannotBeRead is a fault of this device: it is not cut off, so that no
// version on probation is to blame.
func TestATokenThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	c, err := ddi.New(ddi.Config{
		URL: host, ID: "dev1", Auth: ddi.TargetToken, Web: w.web, Clock: w.clk,
		Token: func() (secret.Text, error) { return secret.Text{}, errors.New("open /etc/token: permission denied") },
	})
	require.NoError(t, err)
	_, err = hawkbit.New(hawkbit.Config{Client: c}).Ask(t.Context(), w.q)
	require.ErrorContains(t, err, "permission denied")
	require.ErrorIs(t, err, fleet.ErrHeard)
}
