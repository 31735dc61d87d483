package ddi

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/secret"
	"github.com/tope/updater/platform/source"
)

// Auth is how this device proves who it is.
type Auth string

// The kinds of Auth, as the server's header has them.
const (
	// NoToken: by its certificate, which is the Web's, or not at all.
	NoToken Auth = ""
	// TargetToken is this device's own.
	TargetToken Auth = "TargetToken"
	// GatewayToken is one for all devices of the tenant. hawkBit makes a target of every
	// device that comes with it.
	GatewayToken Auth = "GatewayToken"
)

// Config is for New. A field that is zero takes the default named here.
type Config struct {
	// URL is the server's, without the tenant: https://HOST[:PORT][/PATH].
	URL string
	// Tenant is DEFAULT; ID is this device's controller id, and needed.
	Tenant, ID string
	Auth       Auth
	// Token gives the token of Auth. It is asked before each request, so that a renewed
	// one is in force with the next.
	Token func() (secret.Text, error)
	// Aliases are origins (http://HOST) by which the server calls itself in its links.
	// What they lead to is asked for at URL.
	Aliases []string
	// Mirrors are origins that may have the artifacts instead of the server. They are
	// asked without the token.
	Mirrors []string
	// Web makes the requests: a *fetch.Transport, with its proxy and certificates.
	Web   http.RoundTripper
	Clock clock.Clock
	// Timeout bounds a request and its answer: 60 s.
	Timeout time.Duration
	// Version is this program's, for the server's log.
	Version string
}

// Client asks one server, for one device. It is safe for concurrent use.
type Client struct {
	cfg              Config
	server, own      *url.URL // the origin, with an empty path, and this device's resource
	base             string   // the escaped path of own
	aliases, mirrors map[string]bool

	mu sync.Mutex
	// tag is the ETag of the last poll's answer, and last what was in it.
	tag  string
	last Answer
}

// New makes a client, and says what is wrong with the configuration. It asks nobody.
func New(cfg Config) (*Client, error) {
	if cfg.Tenant == "" {
		cfg.Tenant = "DEFAULT"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil: // the reason may quote a password
		return nil, errors.New("the server's URL cannot be parsed; write it like https://HOST")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the server's URL %s has a user, a query or a fragment; write it like https://HOST, and the token into its file", source.Show(u))
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, fmt.Errorf("the server's URL %q is neither http nor https; write it like https://HOST", cfg.URL)
	case cfg.Auth != NoToken && u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("the server's URL %s is not https, so that anybody on the way could read the token", cfg.URL)
	case cfg.Auth != NoToken && cfg.Auth != TargetToken && cfg.Auth != GatewayToken:
		return nil, fmt.Errorf("%q is not a kind of token; there are TargetToken and GatewayToken", string(cfg.Auth))
	case (cfg.Auth != NoToken) != (cfg.Token != nil):
		return nil, errors.New("a kind of token and a token belong together")
	}
	for what, name := range map[string]string{"tenant": cfg.Tenant, "device's id": cfg.ID} {
		if !isName(name) {
			return nil, fmt.Errorf("%.80q cannot be the %s: it has up to 128 letters, digits and the marks . _ : @ -", name, what)
		}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	c := &Client{cfg: cfg, server: &url.URL{Scheme: u.Scheme, Host: u.Host}, own: u.JoinPath(cfg.Tenant, "controller", "v1", cfg.ID)}
	c.base = c.own.EscapedPath()
	if c.aliases, err = origins(cfg.Aliases); err != nil {
		return nil, err
	}
	if c.mirrors, err = origins(cfg.Mirrors); err != nil {
		return nil, err
	}
	return c, nil
}

// String names server and device.
func (c *Client) String() string { return c.server.String() + c.base }

// isName reports whether a name needs no escape in a path, and is not a step in it.
func isName(name string) bool {
	return name != "" && len(name) <= 128 && strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:@-", r)
	})
}

// loopback reports whether the host is this device itself.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func origins(texts []string) (map[string]bool, error) {
	all := map[string]bool{}
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("a name that links may have is not like https://HOST or https://HOST:PORT, without a path")
		}
		all[fetch.Origin(u)] = true
	}
	return all, nil
}
