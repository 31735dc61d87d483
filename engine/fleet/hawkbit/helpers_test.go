package hawkbit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/hawkbit"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/secret"
)

const (
	token = "s3cr3t-token"
	host  = "https://hawkbit.test"
)

func newSource(t *testing.T, web http.RoundTripper, clk clock.Clock) *hawkbit.Source {
	t.Helper()
	c, err := ddi.New(ddi.Config{
		URL: host, ID: "dev1", Auth: ddi.TargetToken, Web: web, Clock: clk, Version: "1.2.3",
		Token: func() (secret.Text, error) { return secret.New(token), nil },
	})
	require.NoError(t, err)
	return hawkbit.New(hawkbit.Config{Client: c, Build: clk.Now()})
}

// world is a server with dev1, and its source. It keeps the facts as the loop does.
type world struct {
	*testing.T
	server *dditest.Server
	web    http.RoundTripper
	clk    *clocktest.Fake
	source *hawkbit.Source
	q      fleet.Question
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, server: dditest.New(dditest.Switches{Sleep: "00:00:30", Links: host}), clk: clocktest.New()}
	w.server.AddTarget("dev1", token)
	w.server.AddBundle("app-1.1.0.tope", "1.1.0", []byte("a bundle"))
	w.server.AddBundle("app-1.2.0.tope", "1.2.0", []byte("a newer bundle"))
	w.web = w.server
	w.restart()
	return w
}

// at is a world with another server.
func at(t *testing.T, web http.RoundTripper) *world {
	w := &world{T: t, web: web, clk: clocktest.New()}
	w.restart()
	return w
}

func (w *world) restart() { w.source = newSource(w.T, w.web, w.clk) }

func (w *world) ask() fleet.Answer {
	w.Helper()
	a, err := w.source.Ask(w.Context(), w.q)
	require.NoError(w, err)
	if a.Facts != nil {
		w.q.Facts = a.Facts
	}
	return a
}

func (w *world) offered() fleet.Offer {
	w.Helper()
	a := w.ask()
	require.NotNil(w, a.Offer, a.Text)
	return *a.Offer
}

// accept is the loop that opens an update for what is offered.
func (w *world) accept() journal.Origin {
	w.Helper()
	o := w.offered().Origin
	w.q.Accepted = &o
	return o
}

func (w *world) tell(n journal.Notice) {
	w.Helper()
	require.NoError(w, w.source.Tell(w.Context(), n))
}

// notice is about an update from 1.0.0 to 1.1.0.
func (w *world) notice(o journal.Origin, state journal.State, end bool) journal.Notice {
	return journal.Notice{To: "hawkbit", Origin: &o, State: state, End: end, From: "1.0.0", Version: "1.1.0", Time: w.clk.Now()}
}

// entries are what the server has of an action since it was assigned, without its own.
func (w *world) entries(action string) (all []dditest.Entry) {
	for _, e := range w.server.Action(action).Entries[1:] {
		if e.State != "retrieved" {
			all = append(all, e)
		}
	}
	return all
}

// retrieved is how often a device has looked at the action.
func (w *world) retrieved(action string) int {
	return len(w.server.Action(action).Entries) - 1 - len(w.entries(action))
}
