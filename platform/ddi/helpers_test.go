package ddi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/secret"
)

const (
	token = "s3cr3t-token"
	host  = "https://hawkbit.test"
	me    = host + "/DEFAULT/controller/v1/dev1"
)

// world is a server with dev1 and a bundle, and a client of it.
type world struct {
	t      *testing.T
	server *dditest.Server
	bundle []byte
	clk    *clocktest.Fake
	client *ddi.Client
}

// config is that of dev1, whose requests go through web.
func config(clk clock.Clock, web http.RoundTripper) ddi.Config {
	return ddi.Config{
		URL: host, ID: "dev1", Auth: ddi.TargetToken, Web: web, Clock: clk, Version: "1.2.3",
		Token: func() (secret.Text, error) { return secret.New(token), nil },
	}
}

func newWorld(t *testing.T, edits ...func(*ddi.Config)) *world {
	t.Helper()
	w := &world{t: t, bundle: []byte("a bundle of some bytes"), clk: clocktest.New()}
	w.server = dditest.New(dditest.Switches{Sleep: "00:00:30", Links: host})
	w.server.AddTarget("dev1", token)
	w.server.AddBundle("app-1.1.0.tope", "1.1.0", w.bundle)
	w.client = w.newClient(edits...)
	return w
}

// newClient is another client of the same server, as after a restart.
func (w *world) newClient(edits ...func(*ddi.Config)) *ddi.Client {
	w.t.Helper()
	cfg := config(w.clk, w.server)
	for _, edit := range edits {
		edit(&cfg)
	}
	c, err := ddi.New(cfg)
	require.NoError(w.t, err)
	return c
}

func (w *world) poll() ddi.Answer {
	w.t.Helper()
	a, err := w.client.Poll(w.ctx())
	require.NoError(w.t, err)
	return a
}

func (w *world) ctx() context.Context { return w.t.Context() }

// assigned is a world with one action, and what it consists of.
func (w *world) assigned(h dditest.Handling) (string, ddi.Deployment) {
	w.t.Helper()
	action := w.server.Assign("dev1", 1, h)
	a := w.poll()
	require.NotNil(w.t, a.Deployment)
	require.Equal(w.t, action, a.Deployment.Action)
	d, err := w.client.Deployment(w.ctx(), *a.Deployment)
	require.NoError(w.t, err)
	return action, d
}

// trouble makes each request end so, from now on.
func (w *world) trouble(is dditest.Trouble) {
	w.server.Switch(func(s *dditest.Switches) { s.Trouble = func(*http.Request) dditest.Trouble { return is } })
}

// fails is the Error of a call, which has no secret in it.
func fails(t *testing.T, err error, kind ddi.Kind) *ddi.Error {
	t.Helper()
	var e *ddi.Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, kind, e.Kind, "%v", err)
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		require.NotContains(t, cause.Error(), "s3cr3t")
	}
	require.NotContains(t, e.Error(), "\n")
	return e
}

// telling is a feedback of the state.
func telling(action string, s ddi.State, details ...string) ddi.Feedback {
	return ddi.Feedback{Action: action, State: s, Details: details}
}
