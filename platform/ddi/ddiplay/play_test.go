package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/secret"
)

// playing is a player of dev1 at a server that has a bundle for it.
func playing(bundle string, s dditest.Switches) (*dditest.Server, *player, *bytes.Buffer) {
	s.Links = "https://hawkbit.test"
	server, out := dditest.New(s), &bytes.Buffer{}
	server.AddTarget("dev1", "token")
	server.AddBundle("app.tope", "1.1.0", []byte("some bytes"))
	clk := clocktest.NewAuto()
	return server, &player{
		clk: clk, out: out, bundle: []byte(bundle), wait: time.Minute, attributes: map[string]string{"version": "1.0.0"},
		cfg: ddi.Config{
			URL: "https://hawkbit.test", ID: "dev1", Auth: ddi.TargetToken, Web: server, Clock: clocktest.New(),
			Token: func() (secret.Text, error) { return secret.New("token"), nil },
		},
	}, out
}

func TestPlay(t *testing.T) {
	server, p, out := playing("some bytes", dditest.Switches{})
	server.Assign("dev1", 1, dditest.Forced)
	require.NoError(t, p.play(t.Context()), "%s", out)
	require.Equal(t, dditest.Finished, server.Action("1").State)
	require.Equal(t, map[string]string{"version": "1.0.0"}, server.Attributes("dev1"))
	require.Equal(t, 7, strings.Count(out.String(), "\n"), "%s", out)
}

// TestPlayFails: whatever is not as promised ends it.
func TestPlayFails(t *testing.T) {
	_, p, _ := playing("some bytes", dditest.Switches{})
	require.ErrorContains(t, p.play(t.Context()), "nothing was offered within 1m0s")

	server, p, _ := playing("other bytes", dditest.Switches{})
	server.Assign("dev1", 1, dditest.Forced)
	require.ErrorContains(t, p.play(t.Context()), "not those of the file")

	server, p, _ = playing("some bytes", dditest.Switches{})
	server.AddBundle("app.swu", "1.2.0", []byte("x"))
	server.Assign("dev1", 2, dditest.Forced)
	require.ErrorContains(t, p.play(t.Context()), "this device takes exactly one .tope or .zip")
	require.Equal(t, dditest.Failed, server.Action("1").State)

	_, p, _ = playing("some bytes", dditest.Switches{GatewayToken: "not-the-token"})
	p.cfg.Auth = ddi.GatewayToken
	require.ErrorContains(t, p.play(t.Context()), "with a wrong token: it was taken, not denied")
}
