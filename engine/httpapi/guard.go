package httpapi

import (
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// MaxBody is the largest request body in bytes. The largest honest one is an install
// request with a URL of engine.MaxURL bytes, all of them escaped.
const MaxBody = 32 << 10

// guard refuses requests that a web page in a browser on the same network could
// send, and that no program on the device does: for a host name that was
// rebound to loopback, from another origin, or as a form post.
type guard struct {
	hosts map[string]bool
	next  http.Handler
}

func newGuard(hosts []string, next http.Handler) *guard {
	g := &guard{next: next, hosts: map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}}
	for _, h := range hosts {
		g.hosts[hostname(h)] = true
	}
	return g
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p := g.check(r); p != nil {
		p.write(w)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) check(r *http.Request) *Problem {
	if !g.hosts[hostname(r.Host)] && !ownAddress(r) && !ownName(r) {
		return newProblem(foreignHost, "this device is not called "+quote(hostname(r.Host))+"; add the name to [http] hosts if it is")
	}
	// The mux would answer with a redirect, which may lead a client elsewhere.
	asked := r.URL.EscapedPath()
	if p := path.Clean("/" + asked); p != asked && p+"/" != asked {
		return newProblem(noRoute, "there is no "+quote(r.URL.Path)+" here; its path is not clean")
	}
	// A browser names the origin of every request but plain navigation. Same
	// host and port, whatever the scheme: a proxy may have ended TLS.
	if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
		return newProblem(foreignOrigin, "requests from pages of "+quote(origin)+" are not accepted")
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return newProblem(foreignOrigin, "requests from pages of other sites are not accepted")
	}
	return nil
}

// ownAddress reports whether a request names the very address to which its connection
// was made. A name that was rebound never does.
func ownAddress(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.IP.Equal(net.ParseIP(hostname(r.Host)))
}

// ownName reports whether a request of the network's door calls the device by its own name,
// or by that name as mDNS has it. A page that had it rebound would have no certificate for it.
func ownName(r *http.Request) bool {
	if r.TLS == nil {
		return false
	}
	own, err := os.Hostname()
	own = hostname(own)
	return err == nil && own != "" && strings.TrimSuffix(hostname(r.Host), ".local") == strings.TrimSuffix(own, ".local")
}

// jsonBody reports whether the request's body, if it has one, claims to be JSON.
func jsonBody(r *http.Request) bool {
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		return r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
	}
	media, _, err := mime.ParseMediaType(ct)
	return err == nil && media == "application/json"
}

// hostname returns the name of a host with or without a port, in lower case,
// without brackets and without the dot that may end a DNS name.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// quote shortens a stranger's text before an answer repeats it.
func quote(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}
