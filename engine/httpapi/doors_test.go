package httpapi_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/token"
	"github.com/tope/updater/steps"
)

// guarded is a device behind a real server with all its doors open.
type guarded struct {
	t      *testing.T
	d      *httpapitest.Device
	tokens token.Store
	texts  map[token.Scope]string
	base   map[httpapi.Door]string
	client map[httpapi.Door]*http.Client
}

// secretWords are what is private on the device: a source, a log, who asked, what the
// preflight found.
var secretWords = []string{"the-source", "words of a service", "alice", "unit-of-the-finding"}

func newGuarded(t *testing.T, legacy httpapi.LegacyAccess) *guarded {
	t.Helper()
	roottest.Need(t, "requests of other users")
	dir, err := os.MkdirTemp("", "doors")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // another user is to reach the socket
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &guarded{
		t: t, d: httpapitest.New(), tokens: token.Store{Path: filepath.Join(t.TempDir(), token.FileName)},
		texts: map[token.Scope]string{}, base: map[httpapi.Door]string{}, client: map[httpapi.Door]*http.Client{},
	}
	uid := uint32(1000)
	g.d.Change(func(s *engine.Status) {
		e := &engine.ErrorStatus{Code: "UNHEALTHY", Class: "unhealthy", Text: "it ended", Details: "words of a service"}
		s.Last = &engine.UpdateStatus{
			ID: "u1", State: engine.RolledBack, Error: e, Cause: e, By: &journal.Asker{Kind: journal.ByUser, UID: &uid, User: "alice"},
			Findings: []steps.Finding{{Code: "UNIT", Text: "unit-of-the-finding", Hint: "unit-of-the-finding"}},
		}
	})
	for _, scope := range token.Scopes() {
		text, err := g.tokens.Create(token.Token{Name: string(scope), Scopes: []token.Scope{scope}, Created: g.d.Clock.Now(), Expires: g.d.Clock.Now().Add(time.Hour)})
		require.NoError(t, err)
		g.texts[scope] = text.Reveal()
	}
	all, err := g.tokens.Create(token.Token{Name: "all", Scopes: token.Scopes(), Created: g.d.Clock.Now()})
	require.NoError(t, err)
	g.texts["all"] = all.Reveal()
	o := g.d.Options()
	o.Tokens, o.Legacy = g.tokens, legacy
	h := httpapi.New(o)
	ca := fetchtest.NewAuthority(t)
	socket := filepath.Join(dir, httpapi.SocketName)
	s, err := httpapi.Listen(httpapi.ServerOptions{
		Handler: h, Listen: []string{"127.0.0.1:0"}, Socket: socket, LAN: []string{"0.0.0.0:0"}, TLS: ca.Server("localhost"),
	})
	require.NoError(t, err)
	s.SetGroup(members)
	require.NoError(t, os.Chmod(socket, 0o666)) // somebody has widened it
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	over := func(door httpapi.Door, base string, transport *http.Transport) {
		transport.DisableKeepAlives = true
		g.base[door], g.client[door] = base, &http.Client{Transport: transport, Timeout: 10 * time.Second}
	}
	over(httpapi.Loopback, "http://"+s.Addrs()[0].String(), &http.Transport{})
	_, port, err := net.SplitHostPort(s.Addrs()[2].String())
	require.NoError(t, err)
	over(httpapi.LAN, "https://localhost:"+port, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool}})
	over(httpapi.SocketOwner, "http://localhost", &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return httpapi.DialSocket(ctx, socket)
	}})
	for door, gid := range map[httpapi.Door]uintptr{httpapi.SocketStranger: nobody, httpapi.SocketGroup: members} {
		over(door, "http://localhost", &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return asNobody(gid, func() (net.Conn, error) { return httpapi.DialSocket(ctx, socket) })
		}})
	}
	g.base[httpapi.InProcess], g.client[httpapi.InProcess] = "http://localhost", client.InProcess(h).HTTP()
	return g
}

// members is the group whose members may use the socket.
const members = 4711

// asNobody connects as another user, of a group: the kernel notes that of the thread,
// which is not used again.
func asNobody(gid uintptr, dial func() (net.Conn, error)) (c net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		if errno == 0 {
			_, _, errno = unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid)
		}
		if errno == 0 {
			_, _, errno = unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
		}
		if errno != 0 {
			err = errno
			return
		}
		c, err = dial()
	}()
	<-done
	return c, err
}

// reply is what somebody got.
type reply struct {
	status int
	body   string
	calls  []string
	header http.Header
}

// ask sends a request through a door, with a token unless that is empty.
func (g *guarded) ask(door httpapi.Door, e example, text string) reply {
	g.t.Helper()
	before := len(g.d.Calls())
	resp, err := g.client[door].Do(g.request(door, e, text))
	require.NoError(g.t, err, "%s %s %s", door, e.method, e.path)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(g.t, err)
	return reply{resp.StatusCode, string(body), g.d.Calls()[before:], resp.Header}
}

func (g *guarded) request(door httpapi.Door, e example, text string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), e.method, g.base[door]+e.path, strings.NewReader(e.body))
	require.NoError(g.t, err)
	if e.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if text != "" {
		r.Header.Set("Authorization", "Bearer "+text)
	}
	return r
}

// insecure is a client that takes any certificate.
func (g *guarded) insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// requests are one for each route, and those that ask for more than their route.
func requests() []example {
	var all []example
	seen := map[string]bool{}
	for _, e := range examples() {
		if key := e.method + e.described; !seen[key] {
			seen[key] = true
			if e.described == "/api/v2/install" {
				e.body = `{"url":"http://h/b.zip"}`
			}
			all = append(all, e)
		}
	}
	return append(all,
		example{"POST", "/api/v2/install", `{"url":"http://h/b.zip","force":true}`, "/api/v2/install with force"},
		example{"POST", "/api/v2/install", `{"url":"http://h/b.zip","retry":true}`, "/api/v2/install with retry"},
	)
}

// TestWhoMayDoWhatThroughWhichDoor sends each request through each door, without a token
// and with one of each scope, and compares with the table of docs/security.md. What is
// refused has changed nothing, and has asked nothing of the engine.
func TestWhoMayDoWhatThroughWhichDoor(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	columns := []struct {
		head string
		door httpapi.Door
		text string
	}{
		{"loopback", httpapi.Loopback, ""},
		{"LAN", httpapi.LAN, ""},
		{"token: read", httpapi.LAN, g.texts[token.Read]},
		{"token: install", httpapi.LAN, g.texts[token.Install]},
		{"token: operate", httpapi.LAN, g.texts[token.Operate]},
		{"token: all three", httpapi.LAN, g.texts["all"]},
		{"socket, another user", httpapi.SocketStranger, ""},
		{"socket, group", httpapi.SocketGroup, ""},
		{"socket, root", httpapi.SocketOwner, ""},
		{"command without a daemon", httpapi.InProcess, ""},
	}
	var b strings.Builder
	b.WriteString("| request |")
	for _, c := range columns {
		b.WriteString(" " + c.head + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(columns)+1) + "\n")
	for _, e := range requests() {
		full := g.ask(httpapi.SocketOwner, e, "").body
		fmt.Fprintf(&b, "| `%s %s` |", e.method, strings.Replace(e.described, " with ", "` with `", 1))
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", g.cell(c.door, e, c.text, full))
		}
		b.WriteString("\n")
	}
	for _, page := range []string{"../../docs/security.md", "../../docs/zh/security.md"} {
		inPage(t, page, "doors", b.String())
	}
}

// cell is one answer as the table has it.
func (g *guarded) cell(door httpapi.Door, e example, text, full string) string {
	g.t.Helper()
	got := g.ask(door, e, text)
	switch got.status {
	case http.StatusOK, http.StatusAccepted:
		kept, told := "", ""
		for _, word := range secretWords {
			switch {
			case !strings.Contains(full, word):
			case strings.Contains(got.body, word):
				told = word
			default:
				kept = word
			}
		}
		if kept == "" {
			return "yes"
		}
		require.Empty(g.t, told, "%s %s through %s keeps a part private, and not this", e.method, e.path, door)
		return "in part"
	case http.StatusUnauthorized, http.StatusForbidden:
		require.Empty(g.t, got.calls, "%s %s through %s was refused after the device had been asked", e.method, e.path, door)
		for _, word := range secretWords {
			require.NotContains(g.t, got.body, word)
		}
		if got.status == http.StatusUnauthorized {
			require.Contains(g.t, got.header.Get("WWW-Authenticate"), "Bearer")
		}
		return "no"
	}
	g.t.Fatalf("%s %s through %s: %d %s", e.method, e.path, door, got.status, got.body)
	return ""
}

// inPage compares the part of a page between two marks, and rewrites it with -update.
func inPage(t *testing.T, page, name, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	head, rest, found := strings.Cut(string(text), begin)
	old, tail, closed := strings.Cut(rest, end)
	require.True(t, found && closed, "%s has no %s", page, begin)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(head+begin+want+end+tail), 0o644))
		return
	}
	require.Equal(t, want, old, "%s is out of date: go test ./engine/httpapi -run Door -update", page)
}

// TestTCPDoesNotGiveRootsVerbs: whoever can open a port is nobody in particular.
func TestTCPDoesNotGiveRootsVerbs(t *testing.T) {
	for _, legacy := range httpapi.LegacyAccesses() {
		g := newGuarded(t, legacy)
		for _, e := range requests() {
			for _, door := range []httpapi.Door{httpapi.Loopback, httpapi.LAN} {
				got := g.ask(door, e, "")
				for _, call := range got.calls {
					open := legacy == httpapi.LegacyOpen && door == httpapi.Loopback && strings.HasPrefix(e.path, httpapi.LegacyPrefix)
					read := strings.HasPrefix(call, "updates") || call == "list" || call == "links"
					require.True(t, open || read, "%s %s over TCP (%s) did: %s", e.method, e.path, door, call)
					require.NotContains(t, call, "Force:true")
				}
				require.NotContains(t, got.body, "words of a service")
				require.NotContains(t, got.body, "alice")
			}
		}
	}
}

// TestTheLegacyAPICanBeClosed: legacy clients hear why in a body that they can read.
func TestTheLegacyAPICanBeClosed(t *testing.T) {
	polls, asks := example{"GET", progress, "", progress}, example{"POST", download, wanted, download}
	g := newGuarded(t, httpapi.LegacyToken)
	require.Equal(t, 200, g.ask(httpapi.Loopback, polls, "").status)
	got := g.ask(httpapi.Loopback, asks, "")
	require.Equal(t, 401, got.status)
	require.Regexp(t, `^\{"code":401,"msg":"FORBIDDEN: over TCP this takes a token with the scope install`, got.body)
	require.Empty(t, got.calls)
	require.Equal(t, 200, g.ask(httpapi.Loopback, asks, g.texts[token.Install]).status)
	require.Equal(t, 403, g.ask(httpapi.Loopback, asks, g.texts[token.Operate]).status)

	g = newGuarded(t, httpapi.LegacyOff)
	for _, door := range []httpapi.Door{httpapi.Loopback, httpapi.LAN} {
		require.Equal(t, 404, g.ask(door, polls, "").status)
		got = g.ask(door, asks, g.texts[token.Install])
		require.Equal(t, 404, got.status)
		require.Contains(t, got.body, "the legacy API is off on this device")
		require.Empty(t, got.calls)
	}
	require.Equal(t, 200, g.ask(httpapi.SocketOwner, polls, "").status)
	// A header that is meant for another program does not lock an old client out.
	g = newGuarded(t, httpapi.LegacyOpen)
	require.Equal(t, 200, g.ask(httpapi.Loopback, asks, "of-another-program").status)
}

// TestTheNetworkIsNeverPlain: the port of the network speaks TLS and nothing else.
func TestTheNetworkIsNeverPlain(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.base[httpapi.LAN], "https://"))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /api/v2/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	said, err := io.ReadAll(c)
	require.True(t, err == nil || errors.Is(err, unix.ECONNRESET), err)
	require.NotContains(t, string(said), "schema")
	require.Contains(t, string(said), "400")

	// A listener that somebody else has bound for the network is not served plainly.
	foreign, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	s, err := httpapi.Listen(httpapi.ServerOptions{Handler: g.d.Handler(), Inherited: []net.Listener{foreign}})
	require.NoError(t, err)
	defer s.Close()
	require.Empty(t, s.Addrs())
	_, err = foreign.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
