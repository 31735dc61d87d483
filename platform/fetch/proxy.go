package fetch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/secret"
)

// proxyFor is the proxy for a request, with its user and password; nil for none.
func (t *Transport) proxyFor(req *http.Request) (*url.URL, error) {
	switch t.cfg.Proxy {
	case NoProxy:
		return nil, nil
	case "":
		u, err := t.environment(req)
		if err != nil {
			// Its error quotes the variable, and so the password.
			return nil, &Error{
				Kind: Setting, Err: errors.New("the proxy in the environment's HTTPS_PROXY or HTTP_PROXY is not a URL"),
				Hint: "correct it, or set proxy under [download]",
			}
		}
		return u, nil
	}
	if direct(t.cfg.NoProxy, req.URL) {
		return nil, nil
	}
	u, err := url.Parse(t.cfg.Proxy)
	if err != nil {
		return nil, t.setting("proxy", errors.New("it is not a URL"))
	}
	if t.cfg.ProxyAuth != "" {
		if u.User, err = t.proxyUser(); err != nil {
			return nil, t.setting("proxy_auth", err)
		}
	}
	return u, nil
}

// proxyUser reads the user and password for the proxy.
func (t *Transport) proxyUser() (*url.Userinfo, error) {
	auth, err := t.secret(t.cfg.ProxyAuth)
	if err != nil {
		return nil, err
	}
	user, password, ok := strings.Cut(auth.Reveal(), ":")
	if !ok {
		return nil, fmt.Errorf("%s does not have USER:PASSWORD in it", t.cfg.ProxyAuth)
	}
	return url.UserPassword(user, password), nil
}

// secret reads a secret from a file of the device.
func (t *Transport) secret(file string) (secret.Text, error) {
	host, err := t.cfg.Resolve(file)
	if err != nil {
		return secret.Text{}, err
	}
	return secret.Read(host)
}

// direct reports whether a URL is reached without the proxy that is configured. This
// device itself always is, as with NO_PROXY in the environment.
func direct(exceptions []string, u *url.URL) bool {
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), portOf(u)
	addr, err := netip.ParseAddr(host)
	if addr = addr.Unmap(); host == "localhost" || err == nil && addr.IsLoopback() {
		return true
	}
	for _, text := range exceptions {
		if e, ok := parseException(text); ok && e.covers(host, addr, port) {
			return true
		}
	}
	return false
}

// exception is an entry of no_proxy, which means what it means in NO_PROXY: example.com
// is that host and all below it, .example.com all below it only; an address and a
// network are compared with URLs that have an address for a host, as no name is looked
// up; * is everything. All but networks may end in :PORT.
type exception struct {
	all     bool
	port    string // empty for every port
	network netip.Prefix
	host    string // in lower case
	below   string // begins with a dot
}

func parseException(text string) (e exception, ok bool) {
	if text == "*" {
		return exception{all: true}, true
	}
	if network, err := netip.ParsePrefix(text); err == nil {
		return exception{network: network.Masked()}, true
	}
	host := text
	if h, port, err := net.SplitHostPort(text); err == nil {
		host, e.port = h, port
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return e, false
		}
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		addr = addr.Unmap()
		e.network = netip.PrefixFrom(addr, addr.BitLen())
		return e, true
	}
	host = strings.ToLower(strings.TrimPrefix(host, "*"))
	if strings.Trim(host, ".") == "" || strings.ContainsAny(host, " \t,;*/:@[]") {
		return e, false
	}
	if strings.HasPrefix(host, ".") {
		e.below = host
	} else {
		e.host, e.below = host, "."+host
	}
	return e, true
}

func (e exception) covers(host string, addr netip.Addr, port string) bool {
	switch {
	case e.all:
		return true
	case e.port != "" && e.port != port:
		return false
	case e.network.IsValid():
		return addr.IsValid() && e.network.Contains(addr)
	}
	return host == e.host || strings.HasSuffix(host, e.below)
}

// shown is a proxy's URL for people: without user and password.
func shown(proxy *url.URL) string { return proxy.Scheme + "://" + proxy.Host }
