package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/fetch/fetchtest"
)

func TestAuthoritiesOfOnesOwn(t *testing.T) {
	ca, stranger := fetchtest.NewAuthority(t), fetchtest.NewAuthority(t)
	url := "https://" + serve(t, ca.Server("127.0.0.1"), hello)
	hears(t, with(Settings{CAFile: ca.File}), url)
	fails(t, with(Settings{}), url, Untrusted, "cannot trust the server", "unknown authority", "ca_file")
	fails(t, with(Settings{CAFile: stranger.File}), url, Untrusted, "unknown authority", "something in between")
	fails(t, with(Settings{CAFile: "/nowhere/ca.pem"}), url, Setting, "cannot use ca_file", "/nowhere/ca.pem")
	fails(t, with(Settings{CAFile: file(t, "no PEM")}), url, Setting, "has no certificate in PEM")

	other := "https://" + serve(t, ca.Server("other.test"), hello)
	fails(t, with(Settings{CAFile: ca.File}), other, Untrusted, "not who the URL names")

	// The file is read anew for each request.
	file := filepath.Join(t.TempDir(), "ca.pem")
	tr := with(Settings{CAFile: file})
	for _, c := range []struct {
		from string
		kind Kind
	}{{stranger.File, Untrusted}, {ca.File, ""}, {stranger.File, Untrusted}} {
		text, err := os.ReadFile(c.from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		if c.kind == "" {
			hears(t, tr, url)
		} else {
			fails(t, tr, url, c.kind)
		}
	}
}

// TestSystemWithoutAuthorities says what is missing on a device without any.
func TestSystemWithoutAuthorities(t *testing.T) {
	x := &exchange{t: with(Settings{}), url: parsed(t, "https://updates.test/")}
	e := x.distrusts("the server", fmt.Errorf("tls: %w", x509.UnknownAuthorityError{}))
	if systemTrustsNobody() {
		require.Contains(t, e.Hint, "this device has no CA certificates")
	} else {
		require.Contains(t, e.Hint, "a CA of your own")
	}
	require.Nil(t, x.distrusts("the server", errors.New("another")))
}

// TestClock: certificates are judged at the time of the device's clock, and the error
// has that time in it.
func TestClock(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	clk := clocktest.New() // in January 2026
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		from, until time.Time
		text        string
	}{
		"not yet valid": {clk.Now().Add(day), clk.Now().Add(2 * day), "is the device's clock right? It says 2026-01-02T03:04:05Z"},
		"expired":       {clk.Now().Add(-2 * day), clk.Now().Add(-day), "have it renewed; or, is the device's clock right? It says 2026"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := ca.Issue(c.from, c.until, "127.0.0.1")
			pair, err := tls.X509KeyPair(cert, key)
			require.NoError(t, err)
			url := "https://" + serve(t, &tls.Config{Certificates: []tls.Certificate{pair}}, hello)
			tr := New(Config{Settings: Settings{CAFile: ca.File}, Clock: clk})
			fails(t, tr, url, WrongTime, c.text)
			late := clocktest.New()
			late.SetNow(c.from.Add(time.Hour))
			hears(t, New(Config{Settings: Settings{CAFile: ca.File}, Clock: late}), url)
		})
	}
}

// TestClientCertificates, with TLS 1.2, where the handshake fails, and 1.3, where the
// first answer does.
func TestClientCertificates(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca, stranger := fetchtest.NewAuthority(t), fetchtest.NewAuthority(t)
			clk := clocktest.New()
			secure := ca.Server("127.0.0.1")
			secure.ClientAuth, secure.ClientCAs, secure.MaxVersion, secure.Time = tls.RequireAndVerifyClientCert, ca.Pool, version, clk.Now
			url := "https://" + serve(t, secure, hello)
			dir := t.TempDir()
			cert, key := ca.Client(dir, time.Time{}, time.Time{})
			mine := Settings{CAFile: ca.File, Servers: []Server{{URL: url, ClientCert: cert, ClientKey: key}}}
			tr := with(mine)
			hears(t, tr, url)

			none := Settings{CAFile: ca.File}
			fails(t, with(none), url, Unidentified, "wants a certificate of this device", `set client_cert and client_key in a [[download.server]] with url = "`+url+`"`)
			elsewhere := mine
			elsewhere.Servers = []Server{{URL: "https://127.0.0.1:1", ClientCert: cert, ClientKey: key}}
			fails(t, with(elsewhere), url, Unidentified, "set client_cert")

			// Files are read anew for each connection, and a pair that is half renewed is told.
			stranger.Client(dir, time.Time{}, time.Time{})
			fails(t, tr, url, Unidentified, "it does not take the one in "+cert)
			ca.Client(dir, time.Time{}, clk.Now().Add(-time.Hour))
			fails(t, tr, url, Unidentified, "it does not take the one in "+cert, "which has expired on 2026-01-02")
			ca.Client(dir, clk.Now().Add(time.Hour), time.Time{})
			fails(t, tr, url, Unidentified, "which is valid from 2026-01-02 on")
			otherCert, _ := ca.Issue(time.Time{}, time.Time{}, "device-1")
			require.NoError(t, os.WriteFile(cert, otherCert, 0o600))
			fails(t, tr, url, Setting, "cannot use client_cert", "does not match")
			require.NoError(t, os.Remove(key))
			fails(t, tr, url, Setting, "cannot use client_cert", key)
			ca.Client(dir, time.Time{}, time.Time{})
			hears(t, tr, url)
		})
	}
}

// TestCertificatesAreForTheirServerOnly: neither a proxy that asks for one gets it, nor
// the server behind a redirect.
func TestCertificatesAreForTheirServerOnly(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	asks := func(names ...string) *tls.Config {
		c := ca.Server(names...)
		c.ClientAuth = tls.RequestClientCert
		return c
	}
	shown := make(chan int, 10)
	server := serve(t, asks("updates.test"), func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		hello(w, r)
	})
	cert, key := ca.Client(t.TempDir(), time.Time{}, time.Time{})
	p := fetchtest.NewProxy(t, server, asks("127.0.0.1"))
	tr := with(Settings{Proxy: p.URL, CAFile: ca.File, Servers: []Server{{URL: "https://updates.test", ClientCert: cert, ClientKey: key}}})
	hears(t, tr, "https://updates.test/x")
	require.Equal(t, 1, <-shown)
	require.Zero(t, p.Certificates())

	away := serve(t, asks("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		hello(w, r)
	})
	first := serve(t, asks("127.0.0.1"), func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		http.Redirect(w, r, "https://"+away+"/", http.StatusFound)
	})
	hears(t, with(Settings{CAFile: ca.File, Servers: []Server{{URL: "https://" + first, ClientCert: cert, ClientKey: key}}}), "https://"+first)
	require.Equal(t, []int{1, 0}, []int{<-shown, <-shown})
}

// TestHints after an answer: some servers ask for a certificate and refuse by a status.
func TestHints(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	optional := ca.Server("127.0.0.1")
	optional.ClientAuth = tls.RequestClientCert
	status := func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), &code)
		w.WriteHeader(code)
	}
	plain, asking := "http://"+serve(t, nil, status), "https://"+serve(t, optional, status)
	headers := []Server{{URL: plain, Headers: hidden(map[string]string{"X-Token": word})}}
	for _, c := range []struct {
		settings  Settings
		url, want string
	}{
		{Settings{}, plain + "/407", "set proxy and proxy_auth under [download]"},
		{Settings{}, plain + "/401", "or set header_files in a [[download.server]]"},
		{Settings{}, plain + "/403", "check the URL's credentials or its expiry"},
		{Settings{Servers: headers}, plain + "/403", "it got the headers of [[download.server]] for " + plain},
		{Settings{CAFile: ca.File}, asking + "/400", "wants a certificate of this device: set client_cert"},
		{Settings{CAFile: ca.File}, asking + "/403", "wants a certificate of this device: set client_cert"},
		{Settings{}, plain + "/400", ""},
		{Settings{}, plain + "/404", ""},
		{Settings{}, plain + "/503", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, http.NoBody)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: with(c.settings)}).Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		if c.want == "" {
			require.Empty(t, Hint(resp), c.url)
		} else {
			require.Contains(t, Hint(resp), c.want, c.url)
		}
		require.NotContains(t, Hint(resp), word)
	}
	require.Empty(t, Hint(&http.Response{StatusCode: http.StatusForbidden}), "another transport's answer")
}
