package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"time"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/platform/certificate"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/token"
)

// soon is how long before its end a certificate is spoken of.
const soon = 14 * 24 * time.Hour

// network is the door for the network, and the tokens with which it is used.
func (c *checkup) network(context.Context) {
	c.tokens()
	h := c.Config.HTTP
	if h.LAN == "" {
		return
	}
	files := &certificate.Files{}
	cert, key := h.TLSCert, h.TLSKey
	own := cert == ""
	if own {
		cert = c.Config.Paths.Certificate()
		key = cert
	}
	var errs [2]error
	files.Cert, errs[0] = c.Root.Resolve(cert)
	files.Key, errs[1] = c.Root.Resolve(key)
	if err := errors.Join(errs[:]...); err != nil {
		c.warn(say("correct the path in the configuration"), "%s", err)
		return
	}
	pair, err := files.Load()
	switch {
	case own && errors.Is(err, fs.ErrNotExist):
		c.pass("the daemon makes a certificate at its next start")
	case errors.Is(err, fs.ErrPermission):
		c.warn(asRoot, "%s", err)
	case err != nil && own:
		c.warn(aside(files.Cert).then(say("restart the daemon, which makes a new one; clients have to be told its fingerprint")), "nobody can connect to %s: %s", h.LAN, err)
	case err != nil:
		c.warn(say("correct [http] tls_cert and tls_key, or the files"), "nobody can connect to %s: %s", h.LAN, err)
	default:
		c.validity(pair.Leaf)
		c.pass("https://%s shows the certificate with SHA-256 %s", h.LAN, certificate.Fingerprint(pair))
	}
	c.listens(h.LAN)
}

// listens looks whether the daemon has the network's port. That no daemon runs is told by
// another check.
func (c *checkup) listens(address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || c.ofAnotherSystem() || c.otherDaemon != 0 {
		return
	}
	holder, held := look.Listener(port)
	switch {
	case held && holder.PID != 0 && !c.isProcessOurs(holder.PID):
		c.warn(say("stop it, or give the updater another port by [http] lan"), "%s is held by %s", address, holder)
	case !held && c.daemonAnswers():
		c.warn(c.restart(), "nobody listens on %s, though a daemon runs: its log says why", address)
	}
}

// validity is the time of a certificate.
func (c *checkup) validity(leaf *x509.Certificate) {
	now := c.Clock.Now()
	renew := say("renew it; the daemon takes the new one from the next connection on")
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		c.warn(renew, "the certificate of the network's door is valid from %s on", leaf.NotBefore.UTC().Format(time.DateTime))
	case left <= 0:
		c.warn(renew, "the certificate of the network's door expired on %s", leaf.NotAfter.UTC().Format(time.DateTime))
	case left < soon:
		c.warn(renew, "the certificate of the network's door expires in %s", human.Duration(left))
	}
}

// tokens are those of the API.
func (c *checkup) tokens() {
	path, err := c.Root.Path(c.Config.Paths.Tokens())
	if err != nil {
		return // the directory is told of by others
	}
	_, err = token.Store{Path: path}.List()
	switch {
	case errors.Is(err, fs.ErrPermission):
		c.warn(asRoot, "%s", err)
	case err != nil:
		c.warn(aside(path).then(say("make the tokens anew: %s", c.updater("token create"))), "no token is accepted: %s", err)
	}
}
