package fetchtest

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Proxy is an http or https proxy. Whatever name it is asked for, it connects to the
// test's server, so that tests can use names that do not exist.
type Proxy struct {
	*httptest.Server
	// To is the HOST:PORT that it connects to.
	To string
	// User is the USER:PASSWORD that it asks for; empty for nobody's.
	User string
	// Refuse is what it answers instead of letting a request through; 0 for nothing.
	Refuse int

	mu    sync.Mutex
	asked []string
	certs int
}

// NewProxy starts a proxy to an address: over https with a TLS configuration.
func NewProxy(t *testing.T, to string, secure *tls.Config) *Proxy {
	t.Helper()
	p := &Proxy{To: to}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure != nil {
		p.TLS = secure
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

// Asked are the hosts that were asked for, each with "CONNECT " or "GET " before it.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Certificates counts the clients that have shown a certificate.
func (p *Proxy) Certificates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.certs
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	if r.TLS != nil {
		p.certs += len(r.TLS.PeerCertificates)
	}
	p.mu.Unlock()
	switch {
	case p.User != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(p.User)):
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
	case p.Refuse != 0:
		http.Error(w, "no", p.Refuse)
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
	default:
		p.forward(w, r)
	}
}

func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := new(net.Dialer).DialContext(r.Context(), "tcp", p.To)
	if err != nil {
		http.Error(w, "cannot connect", http.StatusBadGateway)
		return
	}
	defer to.Close()
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	join(conn, buffered, to)
}

// join moves bytes both ways until one side ends.
func join(client net.Conn, fromClient io.Reader, server net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, fromClient)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	both.Wait()
}

func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Host = p.To
	out.Header.Del("Proxy-Authorization")
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(out)
	if err != nil {
		http.Error(w, "cannot connect", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
