package fetch

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/tope/updater/platform/secret"
)

// NoProxy is the value of Settings.Proxy that uses no proxy, whatever the environment says.
const NoProxy = "none"

// Settings are what an operator says about the way to the servers. Files are the device's.
type Settings struct {
	// Proxy is the URL of the proxy for all servers, NoProxy, or empty: then HTTPS_PROXY,
	// HTTP_PROXY and NO_PROXY of the process's environment decide, as in curl.
	Proxy string
	// ProxyAuth is a file with USER:PASSWORD for Proxy.
	ProxyAuth string
	// NoProxy are hosts that are reached without Proxy; see exception.
	NoProxy []string
	// CAFile has certificate authorities (PEM) that are trusted besides the system's.
	CAFile string
	// Bandwidth bounds what all bodies together bring.
	Bandwidth Rate
	// Servers have what is for one server only.
	Servers []Server
}

// Server is what one server gets from this device, and no other server.
type Server struct {
	// URL is the server's origin: https://HOST or https://HOST:PORT.
	URL string `toml:"url"`
	// ClientCert and ClientKey are files (PEM) with this device's certificate, its
	// chain behind it, and its private key.
	ClientCert string `toml:"client_cert"`
	ClientKey  string `toml:"client_key"`
	// Headers are sent with each request; HeaderFiles are, too, each with the line
	// that is in its file.
	Headers     map[string]secret.Text `toml:"headers"`
	HeaderFiles map[string]string      `toml:"header_files"`
}

// Report is told of each mistake, under the key that has it.
type Report func(key, format string, args ...any)

// Validate reports every mistake. It looks at no file. It never quotes a secret.
func (s Settings) Validate(report Report) {
	s.validateProxy(report)
	validateFile(report, "ca_file", s.CAFile)
	seen := map[string]bool{}
	for i := range s.Servers {
		v := &s.Servers[i]
		v.validate(func(key, format string, args ...any) {
			report("server."+key, "in table %d, "+format, append([]any{i + 1}, args...)...)
		})
		if u, err := url.Parse(v.URL); err == nil {
			if seen[Origin(u)] {
				report("server.url", "there are two tables for %s", Origin(u))
			}
			seen[Origin(u)] = true
		}
	}
}

func (s Settings) validateProxy(report Report) {
	const like = "write it like http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, or " + NoProxy
	u, err := url.Parse(s.Proxy)
	switch {
	case s.Proxy == "" || s.Proxy == NoProxy:
		if s.ProxyAuth != "" || len(s.NoProxy) > 0 {
			report("proxy", "proxy_auth and no_proxy are for a proxy that is named here; %s", like)
		}
	case err != nil:
		report("proxy", "it is not a URL; %s", like) // what is wrong may be quoted from a password
	case u.User != nil || strings.Contains(s.Proxy, "@"):
		report("proxy", "it has a user or a password in it; put USER:PASSWORD into a file and name that with proxy_auth")
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme), u.Hostname() == "", u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		report("proxy", "%q is not the URL of a proxy; %s", s.Proxy, like)
	}
	validateFile(report, "proxy_auth", s.ProxyAuth)
	for _, text := range s.NoProxy {
		if _, ok := parseException(text); !ok {
			report("no_proxy", "%q is not HOST, .DOMAIN, an address, a network like 10.0.0.0/8, one of them with :PORT, or *", text)
		}
	}
}

func (v *Server) validate(report Report) {
	u, err := url.Parse(v.URL)
	secure := err == nil && u.Scheme == "https"
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		report("url", "the URL is not that of a server alone; write it like https://HOST or https://HOST:PORT, without a path")
	case !secure && (v.ClientCert != "" || len(v.HeaderFiles) > 0):
		report("url", "%s is not https, so that anybody on the way could read the secrets of header_files, and there is no place for a certificate", Origin(u))
	}
	if (v.ClientCert == "") != (v.ClientKey == "") {
		report("client_cert", "a certificate needs its key: set client_cert and client_key")
	}
	validateFile(report, "client_cert", v.ClientCert)
	validateFile(report, "client_key", v.ClientKey)
	names := map[string]bool{}
	name := func(key, n string) {
		switch canonical := http.CanonicalHeaderKey(n); {
		case n == "" || strings.ContainsFunc(n, func(r rune) bool { return !tokenRune(r) }):
			report(key, "%q is not the name of a header", n)
		case slices.Contains(reserved(), canonical):
			report(key, "the updater sets %s itself", canonical)
		case names[canonical]:
			report(key, "%s is there twice", canonical)
		default:
			names[canonical] = true
		}
	}
	for _, n := range sorted(v.Headers) {
		name("headers", n)
		switch value := v.Headers[n].Reveal(); {
		case value == "":
			report("headers", "the value of %q is empty", n)
		case strings.ContainsFunc(value, unicode.IsControl):
			report("headers", "the value of %q has a control character", n)
		}
	}
	for _, n := range sorted(v.HeaderFiles) {
		name("header_files", n)
		if validateFile(report, "header_files", v.HeaderFiles[n]); v.HeaderFiles[n] == "" {
			report("header_files", "%q has no file", n)
		}
	}
}

// reserved are the headers that a request needs for its own purpose.
func reserved() []string {
	return []string{
		"Accept-Encoding", "Connection", "Content-Length", "Host", "If-Range", "Proxy-Authorization",
		"Range", "Referer", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
	}
}

// tokenRune reports whether r may be in a header's name (RFC 9110, 5.6.2).
func tokenRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func validateFile(report Report, key, file string) {
	if file != "" && (!path.IsAbs(file) || path.Clean(file) != file) {
		report(key, "%q is not a clean absolute path of a file", file)
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Origin is scheme, host and port of a URL, in one form: URLs of one server have the same.
func Origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + host + "]"
	}
	if port := portOf(u); port != defaultPort(scheme) {
		host += ":" + port
	}
	return scheme + "://" + host
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPort(strings.ToLower(u.Scheme))
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// server is the table for a URL; nil for none.
func (s Settings) server(u *url.URL) *Server {
	for i := range s.Servers {
		if at, err := url.Parse(s.Servers[i].URL); err == nil && Origin(at) == Origin(u) {
			return &s.Servers[i]
		}
	}
	return nil
}
