package fetch

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/secret"
)

func mistakes(s Settings) (found []string) {
	s.Validate(func(key, format string, args ...any) { found = append(found, key+": "+fmt.Sprintf(format, args...)) })
	return found
}

func TestSettingsThatMakeSense(t *testing.T) {
	token := map[string]string{"X-Token": "/etc/token"}
	for _, s := range []Settings{
		{},
		{Proxy: "none"},
		{Proxy: "http://proxy:3128", ProxyAuth: "/etc/auth", NoProxy: []string{"10.0.0.0/8", ".local", "x:80"}},
		{Proxy: "https://proxy.example.com/"},
		{Proxy: "socks5://[::1]:1080"},
		{CAFile: "/etc/ca.pem", Bandwidth: 1000},
		{Servers: []Server{
			{URL: "https://a.example", ClientCert: "/c", ClientKey: "/k", HeaderFiles: token},
			{URL: "https://a.example:8443/", HeaderFiles: token},
			{URL: "http://a.example", Headers: hidden(map[string]string{"X-Model": "edge"})},
		}},
	} {
		require.Empty(t, mistakes(s), "%+v", s)
	}
}

func TestSettingsThatMakeNone(t *testing.T) {
	server := func(v Server) Settings { return Settings{Servers: []Server{v}} }
	header := func(name, value string) Settings {
		return server(Server{URL: "https://a", Headers: map[string]secret.Text{name: secret.New(value)}})
	}
	for _, c := range []struct {
		settings Settings
		want     string
	}{
		{Settings{Proxy: "proxy:3128"}, "proxy: "},
		{Settings{Proxy: "ftp://proxy"}, "proxy: \"ftp://proxy\" is not the URL of a proxy"},
		{Settings{Proxy: "http://"}, "is not the URL of a proxy"},
		{Settings{Proxy: "http://proxy/path"}, "is not the URL of a proxy"},
		{Settings{Proxy: "http://u:" + word + "@proxy"}, "put USER:PASSWORD into a file and name that with proxy_auth"},
		{Settings{Proxy: "http://u:" + word + "%zz@proxy"}, "it is not a URL"},
		{Settings{ProxyAuth: "/x"}, "proxy_auth and no_proxy are for a proxy that is named here"},
		{Settings{Proxy: "none", NoProxy: []string{"x"}}, "are for a proxy that is named here"},
		{Settings{Proxy: "http://p", NoProxy: []string{"http://x"}}, `no_proxy: "http://x" is not HOST`},
		{Settings{Proxy: "http://p", ProxyAuth: "x"}, `proxy_auth: "x" is not a clean absolute path`},
		{Settings{CAFile: "/a/../b"}, "ca_file: "},
		{server(Server{URL: "https://a/path"}), "server.url: in table 1, the URL is not that of a server alone"},
		{server(Server{URL: "https://u:" + word + "@a"}), "server.url: "},
		{server(Server{URL: ""}), "server.url: "},
		{server(Server{URL: "http://a", HeaderFiles: map[string]string{"X": "/x"}}), "http://a is not https"},
		{server(Server{URL: "http://a", ClientCert: "/c", ClientKey: "/k"}), "http://a is not https"},
		{server(Server{URL: "https://a", ClientCert: "/c"}), "a certificate needs its key"},
		{server(Server{URL: "https://a", HeaderFiles: map[string]string{"X": ""}}), `"X" has no file`},
		{server(Server{URL: "https://a", HeaderFiles: map[string]string{"X": "x"}}), `"x" is not a clean absolute path`},
		{header("Range", word), "the updater sets Range itself"},
		{header("user-agent", word), "the updater sets User-Agent itself"},
		{header("a b", word), `"a b" is not the name of a header`},
		{header("X", word+"\nY: 1"), `the value of "X" has a control character`},
		{server(Server{URL: "https://a", Headers: hidden(map[string]string{"x-a": word}), HeaderFiles: map[string]string{"X-A": "/x"}}), "X-A is there twice"},
		{Settings{Servers: []Server{{URL: "https://a"}, {URL: "https://A:443/"}}}, "there are two tables for https://a"},
	} {
		found := strings.Join(mistakes(c.settings), "\n")
		require.Contains(t, found, c.want)
		require.NotContains(t, found, word)
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"": 0, "1000B/s": 1000, "500kB/s": 500_000, "2MB/s": 2_000_000, "1.5 MB/s": 1_500_000, "1GB/s": 1e9, "1.5kB/s": 1500,
	} {
		var r Rate
		require.NoError(t, r.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, r)
		var again Rate
		require.NoError(t, again.UnmarshalText([]byte(r.String())))
		require.Equal(t, r, again)
	}
	for _, text := range []string{"500", "500kB", "5kb/s", "-1kB/s", "0B/s", "999B/s", "NaNkB/s", "InfB/s", "kB/s", "1e9GB/s", "8kbit/s"} {
		require.ErrorContains(t, new(Rate).UnmarshalText([]byte(text)), "is not a bandwidth", text)
	}
}

// FuzzException: an entry that is taken excepts its own host, and no name that only ends
// like it.
func FuzzException(f *testing.F) {
	for _, entry := range []string{"example.com:1", "[::1]:1", "10.0.0.0/8", ".example.com", "*"} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		e, ok := parseException(entry)
		if !ok || e.all || e.network.IsValid() {
			return
		}
		port := cmp.Or(e.port, "80")
		require.True(t, e.covers("a"+e.below, netip.Addr{}, port), "%q", entry)
		if e.host != "" {
			require.True(t, e.covers(e.host, netip.Addr{}, port), "%q", entry)
			require.False(t, e.covers("a"+e.host, netip.Addr{}, port), "%q", entry)
		}
	})
}
