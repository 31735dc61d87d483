package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/tope/updater/platform/secret"
)

// longestPEM bounds a file of certificates: the whole of a usual system's has 220 kB.
const longestPEM = 4 << 20

// tls is the TLS of this exchange, with the server and with a proxy that is spoken to
// over https; nil where neither is.
func (x *exchange) tls() (*tls.Config, error) {
	if x.url.Scheme != "https" && (x.proxy == nil || x.proxy.Scheme != "https") {
		return nil, nil
	}
	c := &tls.Config{
		MinVersion:           tls.VersionTLS12,
		Time:                 x.t.cfg.Clock.Now,
		GetClientCertificate: x.identify,
	}
	if file := x.t.cfg.CAFile; file != "" {
		roots, err := x.t.roots(file)
		if err != nil {
			return nil, x.t.setting("ca_file", err)
		}
		c.RootCAs = roots
	}
	return c, nil
}

// roots are the system's certificate authorities and those of the file.
func (t *Transport) roots(file string) (*x509.CertPool, error) {
	text, err := t.read(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the file alone: a device may have none of its own
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// systemTrustsNobody reports whether the system has no certificate authority.
func systemTrustsNobody() bool {
	pool, err := x509.SystemCertPool()
	return err != nil || pool.Equal(x509.NewCertPool())
}

// read reads a file of certificates, or a key.
func (t *Transport) read(file string) ([]byte, error) {
	host, err := t.cfg.Resolve(file)
	if err != nil {
		return nil, err
	}
	return secret.ReadFile(host, longestPEM)
}

// certificate is this device's own for a server, as it is on the disk now.
func (t *Transport) certificate(v *Server) (*tls.Certificate, error) {
	cert, err := t.read(v.ClientCert)
	if err != nil {
		return nil, err
	}
	key, err := t.read(v.ClientKey)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", v.ClientCert, v.ClientKey, err)
	}
	return &pair, nil
}

// identify gives this device's certificate to the server, when it asks for one. A proxy
// that is spoken to over https, and asks before there is a tunnel, gets none.
func (x *exchange) identify(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.proxy != nil && x.proxy.Scheme == "https" && !x.tunnelled {
		return &tls.Certificate{}, nil
	}
	x.asked = true
	if x.server == nil || x.server.ClientCert == "" {
		return &tls.Certificate{}, nil
	}
	cert, err := x.t.certificate(x.server)
	if err != nil {
		return nil, x.t.setting("client_cert", err)
	}
	x.gave = true
	return cert, nil
}
