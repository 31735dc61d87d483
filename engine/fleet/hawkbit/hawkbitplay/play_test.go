package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/secret"
)

// playing is a device at a server on a socket of this machine.
func playing(t *testing.T, h http.Handler) (*device, *manager, *bytes.Buffer) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	clk, out := clocktest.NewAuto(), &bytes.Buffer{}
	web := fetch.New(fetch.Config{Clock: clocktest.New(), Settings: fetch.Settings{Proxy: fetch.NoProxy}})
	return &device{
		clk: clk, out: out, wait: time.Minute,
		cfg: ddi.Config{
			URL: server.URL, Tenant: "DEFAULT", ID: "dev1", Auth: ddi.TargetToken, Web: web, Clock: clocktest.New(),
			Token: func() (secret.Text, error) { return secret.New("token"), nil },
		},
	}, &manager{url: server.URL, user: "admin", password: secret.New("hunter2"), web: web}, out
}

func TestTable(t *testing.T) {
	server := newOperated()
	d, m, out := playing(t, server)
	require.NoError(t, playTable(t.Context(), d, m, true), "%s", out)
	require.Equal(t, 14, strings.Count(out.String(), "as ever"), "%s", out)
	require.Empty(t, server.left, "it tidies up")
	require.Equal(t, map[string]any{targetTokens: true, confirmation: false}, server.settings)
}

// different is a server with an answer that hawkBit does not give.
type different struct {
	*operated
	path   string
	status int
}

func (d different) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, d.path) {
		w.WriteHeader(d.status)
		return
	}
	d.operated.ServeHTTP(w, r)
}

// TestTableDiffers: a difference is named, the other scenes are played, and all is removed.
func TestTableDiffers(t *testing.T) {
	server := newOperated()
	d, m, out := playing(t, different{server, ".SHA256", 200})
	require.ErrorContains(t, playTable(t.Context(), d, m, false), "1 of the scenes differ")
	require.Contains(t, out.String(), "app-1.1.0.tope.SHA256")
	require.Contains(t, out.String(), ": 200, not 404")
	require.Equal(t, 13, strings.Count(out.String(), "as ever"), "%s", out)
	require.Empty(t, server.left)

	server = newOperated()
	d, m, _ = playing(t, server)
	m.password = secret.New("wrong")
	err := playTable(t.Context(), d, m, false)
	require.ErrorContains(t, err, "401")
	require.NotContains(t, err.Error(), "wrong")
}

func TestOne(t *testing.T) {
	server := newOperated()
	d, _, out := playing(t, server)
	server.AddTarget("dev1", "token")
	require.ErrorContains(t, d.playOne(t.Context(), nil, ""), "nothing was offered within 1m0s")
	set := server.AddBundle("app.tope", "1.1.0", make([]byte, 1000))
	server.Assign("dev1", set, dditest.Forced)
	require.NoError(t, d.playOne(t.Context(), []string{"version=1.0.0"}, ""), "%s", out)
	require.Equal(t, dditest.Finished, server.Action("1").State)
	require.Equal(t, map[string]string{"version": "1.0.0"}, server.Attributes("dev1"))
}
