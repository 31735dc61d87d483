package fetch

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch/fetchtest"
)

// TestProxies: each kind of proxy takes http and https, to hosts that only it knows.
func TestProxies(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	plain, secure := serve(t, nil, hello), serve(t, ca.Server("updates.test"), hello)
	auth := file(t, "device-1:"+word+"\n")
	for name, own := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			for url, to := range map[string]string{"http://updates.test/x": plain, "https://updates.test/x": secure} {
				tls := ca.Server("127.0.0.1")
				if !own {
					tls = nil
				}
				p := fetchtest.NewProxy(t, to, tls)
				p.User = "device-1:" + word
				hears(t, with(Settings{Proxy: p.URL, ProxyAuth: auth, CAFile: ca.File}), url)
				require.Len(t, p.Asked(), 1)
				require.Contains(t, p.Asked()[0], "updates.test")
			}
		})
	}
	t.Run("socks5", func(t *testing.T) {
		for url, to := range map[string]string{"http://updates.test/x": plain, "https://updates.test/x": secure} {
			s := fetchtest.NewSocks(t, to, "device-1:"+word)
			hears(t, with(Settings{Proxy: "socks5://" + s.Addr, ProxyAuth: auth, CAFile: ca.File}), url)
			require.Equal(t, []string{"updates.test"}, s.Asked())
		}
	})
}

// TestProxiesThatRefuse: the error says that it is the proxy, which one, and which key helps.
func TestProxiesThatRefuse(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	plain, secure := serve(t, nil, hello), serve(t, ca.Server("updates.test"), hello)
	auth := file(t, "device-1:"+word)
	urls := map[string]string{"http://updates.test/x": plain, "https://updates.test/x": secure}

	for url, to := range urls {
		p := fetchtest.NewProxy(t, to, nil)
		p.User = "device-1:another"
		fails(t, with(Settings{Proxy: p.URL}), url, ProxyRefused, "the proxy "+p.URL+" does not let us through to updates.test: 407", "proxy_auth under [download]")
		fails(t, with(Settings{Proxy: p.URL, ProxyAuth: auth}), url, ProxyRefused, "407", "does not take the user and password in "+auth)
		fails(t, with(Settings{Proxy: p.URL, ProxyAuth: file(t, word)}), url, Setting, "cannot use proxy_auth", "USER:PASSWORD")
		fails(t, with(Settings{Proxy: p.URL, ProxyAuth: "/nowhere/x"}), url, Setting, "cannot use proxy_auth", "/nowhere/x")

		// The address of nobody: through a proxy it is the proxy that is away.
		gone := nobody(t)
		fails(t, with(Settings{Proxy: "http://" + gone}), url, ProxyAway, "cannot reach the proxy http://"+gone, "connection refused", "correct proxy under [download]")
		fails(t, with(Settings{Proxy: "socks5://" + gone}), url, ProxyAway, "cannot reach the proxy socks5://"+gone, "connection refused")
		fails(t, with(Settings{Proxy: "https://" + strings.TrimPrefix(p.URL, "http://")}), url, ProxyAway, "does not speak TLS", "is its URL "+p.URL)

		s := fetchtest.NewSocks(t, to, "device-1:another")
		fails(t, with(Settings{Proxy: "socks5://" + s.Addr, ProxyAuth: auth}), url, ProxyRefused, "does not take the user and password in "+auth)
		fails(t, with(Settings{Proxy: "socks5://" + s.Addr}), url, ProxyRefused, "authentication", "proxy_auth under [download]")
		s = fetchtest.NewSocks(t, gone, "")
		fails(t, with(Settings{Proxy: "socks5://" + s.Addr}), url, ProxyRefused, "connection refused", "name updates.test in no_proxy")

		q := fetchtest.NewProxy(t, to, ca.Server("127.0.0.1"))
		fails(t, with(Settings{Proxy: q.URL}), url, Untrusted, "cannot trust the proxy "+q.URL, "ca_file")
	}
	for code, want := range map[int]string{
		http.StatusForbidden:       "have who runs it allow updates.test",
		http.StatusBadGateway:      "it cannot reach the server itself",
		http.StatusGatewayTimeout:  "it cannot reach the server itself",
		http.StatusTooManyRequests: "429 Too Many Requests",
	} {
		p := fetchtest.NewProxy(t, secure, nil)
		p.Refuse = code
		fails(t, with(Settings{Proxy: p.URL}), "https://updates.test/x", ProxyRefused, want)
	}
}

// TestProxyThatIsMute takes the connection and says nothing: when the caller gives up,
// the error says that it was the proxy.
func TestProxyThatIsMute(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cause := errors.New("no answer within 30s")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = bufio.NewReader(c).ReadString('\n') // CONNECT
		cancel(cause)
		<-t.Context().Done()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://updates.test/", http.NoBody)
	require.NoError(t, err)
	_, err = with(Settings{Proxy: "http://" + l.Addr().String()}).RoundTrip(req)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, ProxyAway, e.Kind)
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "the proxy http://"+l.Addr().String()+" does not let us through to updates.test: no answer within 30s; correct proxy under [download]")
}

// TestServerThatIsAway is not taken for the proxy: the error is net/http's own.
func TestServerThatIsAway(t *testing.T) {
	_, _, err := get(t, with(Settings{}), "http://"+nobody(t)+"/")
	var e *Error
	require.NotErrorAs(t, err, &e)
	require.ErrorContains(t, err, "connection refused")
}

// TestWhichProxy: the configuration goes before the environment, whole.
func TestWhichProxy(t *testing.T) {
	environment := func(*http.Request) (*url.URL, error) { return url.Parse("http://env:" + word + "@" + nobody(t)) }
	for _, c := range []struct {
		settings  Settings
		url, want string
	}{
		{Settings{}, "https://updates.test/", "http://127.0.0.1"},
		{Settings{Proxy: NoProxy}, "https://updates.test/", ""},
		{Settings{Proxy: "http://mine.test:2"}, "https://updates.test/", "http://mine.test:2"},
		{Settings{Proxy: "http://mine.test:2", NoProxy: []string{"updates.test"}}, "https://updates.test/", ""},
	} {
		tr := with(c.settings)
		tr.environment = environment
		proxy, err := tr.proxyFor(&http.Request{URL: parsed(t, c.url)})
		require.NoError(t, err)
		if c.want == "" {
			require.Nil(t, proxy)
		} else {
			require.Contains(t, shown(proxy), c.want)
		}
	}
	tr := with(Settings{})
	tr.environment = environment
	fails(t, tr, "https://updates.test/", ProxyAway, "cannot reach the proxy http://127.0.0.1", "HTTPS_PROXY")
	tr.environment = func(*http.Request) (*url.URL, error) { return nil, errors.New("invalid proxy address " + word) }
	fails(t, tr, "https://updates.test/", Setting, "HTTPS_PROXY")
}

func TestNoProxy(t *testing.T) {
	for _, c := range []struct {
		entry, direct, proxied string // URLs
	}{
		{"example.com", "http://example.com/ https://EXAMPLE.com:8443/ http://a.b.example.com/ http://example.com./", "http://notexample.com/ http://example.com.evil.test/ http://example.org/"},
		{".example.com", "http://a.example.com/ http://a.b.example.com/", "http://example.com/ http://aexample.com/"},
		{"*.example.com", "http://a.example.com/", "http://example.com/"},
		{"example.com:8443", "https://example.com:8443/", "https://example.com/ http://example.com/"},
		{"example.com:443", "https://example.com/ https://a.example.com:443/", "http://example.com/"},
		{"192.0.2.1", "http://192.0.2.1/ https://192.0.2.1:8443/ http://[::ffff:192.0.2.1]/", "http://192.0.2.2/ http://192.0.2.1.evil.test/"},
		{"192.0.2.1:8443", "https://192.0.2.1:8443/", "https://192.0.2.1/"},
		{"10.0.0.0/8", "http://10.1.2.3/", "http://11.1.2.3/ http://10.example.com/"},
		{"fd00::/8", "http://[fd00::1]/", "http://[fe00::1]/"},
		{"fd00::1", "http://[fd00::1]:80/", "http://[fd00::2]/"},
		{"[fd00::1]:8443", "https://[fd00::1]:8443/", "https://[fd00::1]/"},
		{"*", "http://example.com/ http://192.0.2.1/", ""},
		{"unrelated", "http://localhost/ http://127.0.0.1:9/ http://[::1]/ http://127.9.9.9/", "http://localhost.evil.test/"},
	} {
		for _, u := range strings.Fields(c.direct) {
			require.True(t, direct([]string{"x.test", c.entry}, parsed(t, u)), "%s %s", c.entry, u)
		}
		for _, u := range strings.Fields(c.proxied) {
			require.False(t, direct([]string{"x.test", c.entry}, parsed(t, u)), "%s %s", c.entry, u)
		}
	}
	for _, bad := range []string{"", " ", ".", "*.", "http://x", "a b", "a,b", "10.0.0.0/33", "x/y", "user@x", "x:", "a*b"} {
		_, ok := parseException(bad)
		require.False(t, ok, "%q", bad)
	}
}
