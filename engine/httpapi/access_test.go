package httpapi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/token"
)

var (
	prune  = example{"POST", "/api/v2/prune", "", "/api/v2/prune"}
	status = example{"GET", "/api/v2/status", "", "/api/v2/status"}
)

// TestATokenIsJudgedAnewByEachRequest: what is revoked or has expired is refused from
// then on, and the answer says so.
func TestATokenIsJudgedAnewByEachRequest(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	text := g.texts[token.Operate]
	require.Equal(t, 202, g.ask(httpapi.LAN, prune, text).status)
	_, err := g.tokens.Revoke("operate")
	require.NoError(t, err)
	got := g.ask(httpapi.LAN, prune, text)
	require.Equal(t, 401, got.status, "revoked")
	require.Equal(t, `Bearer realm="tope-updater", error="invalid_token"`, got.header.Get("WWW-Authenticate"))
	require.Empty(t, got.calls)
	require.NotContains(t, got.body, text)

	require.Equal(t, 200, g.ask(httpapi.LAN, status, g.texts[token.Read]).status)
	g.d.Clock.Advance(time.Hour)
	got = g.ask(httpapi.LAN, status, g.texts[token.Read])
	require.Equal(t, 401, got.status, "a token of no use is not passed over in silence")
	require.Contains(t, got.body, "the token has expired")

	require.NoError(t, os.WriteFile(g.tokens.Path, []byte("damaged"), 0o600))
	got = g.ask(httpapi.LAN, prune, g.texts["all"])
	require.Equal(t, 401, got.status)
	require.Contains(t, got.body, "the device cannot read its own")
}

// TestAClockThatBeganAnewDoesNotReviveATokens: a device without a battery begins in 1970.
func TestAClockThatBeganAnewDoesNotReviveTokens(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	later := g.d.Clock.Now().Add(2 * time.Hour)
	g.d.Change(func(s *engine.Status) { s.Last.Ended = later })
	got := g.ask(httpapi.LAN, status, g.texts[token.Read])
	require.Equal(t, 401, got.status)
	require.Contains(t, got.body, "the token has expired")
	g.d.Change(func(s *engine.Status) { s.Last.Ended = later.Add(-2 * time.Hour) })
	require.Equal(t, 200, g.ask(httpapi.LAN, status, g.texts[token.Read]).status)
}

// TestWrongTokensAreBounded: after some of them the peer's tokens are not looked at for
// a while; without a token it is answered as before, and other peers are not concerned.
func TestWrongTokensAreBounded(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	for i := range 10 {
		require.Equal(t, 401, g.ask(httpapi.Loopback, prune, fmt.Sprintf("guess-%d", i)).status)
	}
	got := g.ask(httpapi.Loopback, prune, g.texts[token.Operate])
	require.Equal(t, 429, got.status, got.body)
	require.Contains(t, got.body, `"title":"too many wrong tokens"`)
	require.Equal(t, "6", got.header.Get("Retry-After"))
	require.Empty(t, got.calls)
	require.Equal(t, 200, g.ask(httpapi.Loopback, status, "").status)
	require.Equal(t, 202, g.ask(httpapi.SocketOwner, prune, "").status)
	require.Equal(t, 202, g.ask(httpapi.SocketStranger, prune, g.texts[token.Operate]).status, "another user")
	g.d.Clock.Advance(6 * time.Second)
	require.Equal(t, 202, g.ask(httpapi.Loopback, prune, g.texts[token.Operate]).status)
}

// TestTheEngineHearsWhoAsks: the kernel's word for the socket, a name for a token, and an
// address for a legacy client.
func TestTheEngineHearsWhoAsks(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	by := func(door httpapi.Door, e example, text string) *journal.Asker {
		require.Less(t, g.ask(door, e, text).status, 300)
		return g.d.Asker()
	}
	self := uint32(os.Geteuid())
	comm, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	us := &journal.Asker{Kind: journal.ByUser, UID: &self, User: "root", PID: int32(os.Getpid()), Process: strings.TrimSpace(string(comm))}
	require.Equal(t, us, by(httpapi.SocketOwner, prune, ""))
	require.Equal(t, us, by(httpapi.InProcess, prune, ""))

	token1 := by(httpapi.LAN, prune, g.texts[token.Operate])
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, token1.Peer)
	require.Equal(t, &journal.Asker{Kind: journal.ByToken, Token: "operate", UID: &self, User: "root", Peer: token1.Peer}, token1)
	other := by(httpapi.SocketStranger, prune, g.texts[token.Operate])
	require.Equal(t, journal.ByToken, other.Kind)
	require.EqualValues(t, nobody, *other.UID)

	old := by(httpapi.Loopback, example{"POST", download, wanted, download}, "")
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, old.Peer)
	require.Equal(t, &journal.Asker{Kind: journal.ByLegacy, UID: &self, User: "root", Peer: old.Peer}, old)
}

// TestTheAddressOfTheConnectionIsANameOfTheDevice: people on the network need not
// configure it. Another address, or a name, is refused as before.
func TestTheAddressOfTheConnectionIsANameOfTheDevice(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	for base, want := range map[string]int{"127.0.0.2": 200, "127.0.0.3": 403, "device.example": 403} {
		r := g.request(httpapi.LAN, status, "")
		r.URL.Host = "127.0.0.2:" + r.URL.Port()
		r.Host = base
		resp, err := g.insecure().Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, want, resp.StatusCode, base)
	}
}

// TestTheDocumentNamesTheScopes: openapi.json says of each route which scope it takes.
func TestTheDocumentNamesTheScopes(t *testing.T) {
	s := loadSpec(t)
	for route, scope := range httpapi.ScopesOfRoutes() {
		method, path, _ := strings.Cut(route, " ")
		said := s.at("paths", strings.TrimSuffix(path, "{$}"), strings.ToLower(method), "security")
		if scope == "" || strings.HasPrefix(path, httpapi.LegacyPrefix) {
			require.Nil(t, said, route)
			continue
		}
		require.Equal(t, []any{map[string]any{"token": []any{scope}}}, said, route)
	}
}
