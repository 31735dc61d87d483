package ddi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/fetch/fetchtest"
	"github.com/tope/updater/platform/secret"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*ddi.Config)
		says string
	}{
		"no URL":                  {func(c *ddi.Config) { c.URL = "" }, "neither http nor https"},
		"ftp":                     {func(c *ddi.Config) { c.URL = "ftp://h" }, "neither http nor https"},
		"no host":                 {func(c *ddi.Config) { c.URL = "https:///x" }, "neither http nor https"},
		"a broken URL":            {func(c *ddi.Config) { c.URL = "https://u:s3cr3t@h:x" }, "cannot be parsed"},
		"a password":              {func(c *ddi.Config) { c.URL = "https://u:s3cr3t@h" }, "has a user"},
		"a query":                 {func(c *ddi.Config) { c.URL = "https://h?t=s3cr3t" }, "https://h?t=… has a user, a query"},
		"a token in clear text":   {func(c *ddi.Config) { c.URL = "http://h" }, "not https"},
		"no id":                   {func(c *ddi.Config) { c.ID = "" }, "cannot be the device's id"},
		"an id that climbs":       {func(c *ddi.Config) { c.ID = ".." }, "cannot be the device's id"},
		"an id with a slash":      {func(c *ddi.Config) { c.ID = "a/b" }, "cannot be the device's id"},
		"a tenant with a blank":   {func(c *ddi.Config) { c.Tenant = "a b" }, "cannot be the tenant"},
		"an unknown kind":         {func(c *ddi.Config) { c.Auth = "Bearer" }, "there are TargetToken and GatewayToken"},
		"a kind without a token":  {func(c *ddi.Config) { c.Token = nil }, "belong together"},
		"a token without a kind":  {func(c *ddi.Config) { c.Auth = ddi.NoToken }, "belong together"},
		"an alias with a path":    {func(c *ddi.Config) { c.Aliases = []string{"http://h/x"} }, "without a path"},
		"a mirror that is a name": {func(c *ddi.Config) { c.Mirrors = []string{"h"} }, "not like https://HOST"},
	} {
		cfg := config(clocktest.New(), dditest.New(dditest.Switches{}))
		c.edit(&cfg)
		_, err := ddi.New(cfg)
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), "s3cr3t", name)
	}
	for _, here := range []string{"http://127.0.0.1:8080", "http://[::1]", "http://localhost"} {
		cfg := config(clocktest.New(), dditest.New(dditest.Switches{}))
		cfg.URL = here
		_, err := ddi.New(cfg)
		require.NoError(t, err, "nobody is on the way")
	}
}

// TestWhereItAsks: below the path of its URL, and of its tenant.
func TestWhereItAsks(t *testing.T) {
	for url, links := range map[string]string{host + "/hawkbit": host, host + "/hawkbit/": host, host + ":443/hawkbit": host, "https://HAWKBIT.test/hawkbit": host + ":443"} {
		w := newWorld(t)
		w.server.Switch(func(s *dditest.Switches) { s.Tenant, s.Prefix, s.Links = "FACTORY", "/hawkbit", links })
		w.client = w.newClient(func(c *ddi.Config) { c.URL, c.Tenant = url, "FACTORY" })
		_, d := w.assigned(dditest.Forced)
		require.Empty(t, d.Unfit)
		require.Equal(t, "GET /hawkbit/FACTORY/controller/v1/dev1", w.server.Requests()[0])
		require.Contains(t, w.client.String(), "/hawkbit/FACTORY/controller/v1/dev1")
	}
}

// TestWhoIsDenied: it is an outage, with what to look at.
func TestWhoIsDenied(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		edit func(*ddi.Config)
		says string
	}{
		"another token":   {func(c *ddi.Config) { c.Token = tokenOf("s3cr3t-other") }, "401 Unauthorized: is the token this device's, its id dev1 known there"},
		"an unknown id":   {func(c *ddi.Config) { c.ID = "dev2" }, "its id dev2 known there"},
		"a gateway token": {func(c *ddi.Config) { c.Auth = ddi.GatewayToken }, "are gateway tokens enabled?"},
		"no token":        {func(c *ddi.Config) { c.Auth, c.Token = ddi.NoToken, nil }, "401 Unauthorized"},
	} {
		client := w.newClient(c.edit)
		_, err := client.Poll(w.ctx())
		require.Contains(t, fails(t, err, ddi.Denied).Error(), c.says, name)
		require.Equal(t, ddi.Later, ddi.Judge(client.Feedback(w.ctx(), telling("1", ddi.Succeeded))), name)
	}
	w.trouble(dditest.Trouble{Status: 403, Header: map[string]string{"Content-Type": "text/html"}, Body: "<html>"})
	_, err := w.client.Poll(w.ctx())
	fails(t, err, ddi.Denied)
}

func tokenOf(text string) func() (secret.Text, error) {
	return func() (secret.Text, error) { return secret.New(text), nil }
}

// TestTheTokenIsReadAnew: one that cannot be read costs that request only.
func TestTheTokenIsReadAnew(t *testing.T) {
	w := newWorld(t)
	var text secret.Text
	var trouble error
	c := w.newClient(func(c *ddi.Config) { c.Token = func() (secret.Text, error) { return text, trouble } })
	_, err := c.Poll(w.ctx())
	require.Contains(t, fails(t, err, ddi.Denied).Error(), "the token: it is empty")
	trouble = errors.New("open /etc/token: no such file")
	_, err = c.Poll(w.ctx())
	require.ErrorIs(t, err, trouble)
	require.Contains(t, fails(t, err, ddi.Denied).Error(), "open /etc/token")
	text, trouble = secret.New("s3cr3t\nX-Other: y"), nil
	_, err = c.Poll(w.ctx())
	fails(t, err, ddi.Denied)
	text = secret.New(token)
	_, err = c.Poll(w.ctx())
	require.NoError(t, err)
}

func TestGatewayToken(t *testing.T) {
	w := newWorld(t)
	w.server.Switch(func(s *dditest.Switches) { s.GatewayToken = "gateway" })
	c := w.newClient(func(c *ddi.Config) { c.ID, c.Auth, c.Token = "new-one", ddi.GatewayToken, tokenOf("gateway") })
	a, err := c.Poll(w.ctx())
	require.NoError(t, err)
	require.True(t, a.Attributes)
}

// TestNothingPrintsTheToken tries what Go has to print a value.
func TestNothingPrintsTheToken(t *testing.T) {
	cfg := config(clocktest.New(), nil)
	c, err := ddi.New(cfg)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb+verb, cfg, c), token)
	}
	require.Equal(t, me, c.String())
}

// TestByCertificate: over the product's own way, with a certificate in the token's place.
func TestByCertificate(t *testing.T) {
	ca := fetchtest.NewAuthority(t)
	server := dditest.New(dditest.Switches{Certificates: true})
	server.AddTarget("device-1", "")
	web := httptest.NewUnstartedServer(server)
	web.TLS = ca.Server("127.0.0.1")
	web.TLS.ClientCAs, web.TLS.ClientAuth = ca.Pool, 3 // tls.VerifyClientCertIfGiven
	web.StartTLS()
	t.Cleanup(web.Close)
	server.Switch(func(s *dditest.Switches) { s.Links = web.URL })
	clk := clocktest.New()
	cert, key := ca.Client(t.TempDir(), time.Time{}, time.Time{})
	settings := fetch.Settings{CAFile: ca.File, Servers: []fetch.Server{{URL: web.URL, ClientCert: cert, ClientKey: key}}}
	ask := func(s fetch.Settings, id string) error {
		c, err := ddi.New(ddi.Config{URL: web.URL, ID: id, Web: fetch.New(fetch.Config{Settings: s, Clock: clk}), Clock: clk})
		require.NoError(t, err)
		_, err = c.Poll(t.Context())
		return err
	}
	require.NoError(t, ask(settings, "device-1"))
	fails(t, ask(settings, "device-2"), ddi.Denied)
	settings.Servers = nil
	require.Contains(t, fails(t, ask(settings, "device-1"), ddi.Denied).Error(), "set client_cert and client_key")
	settings.CAFile = ""
	err := ask(settings, "device-1")
	require.Contains(t, fails(t, err, ddi.Outage).Error(), "cannot trust the server")
	var e *fetch.Error
	require.True(t, errors.As(err, &e))
}

// TestTheTokenGoesToTheServerAlone: also with a request that the client did not make.
func TestTheTokenGoesToTheServerAlone(t *testing.T) {
	w := newWorld(t)
	for url, is := range map[string]string{
		me + "/x": "TargetToken " + token, "https://hawkbit.test:443/y": "TargetToken " + token,
		"http://hawkbit.test/": "", "https://hawkbit.test:8443/": "", "https://hawkbit.test.evil/": "", "https://cdn.test/": "",
	} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		require.NoError(t, w.client.Authorize(r))
		require.Equal(t, is, r.Header.Get("Authorization"), url)
	}
}
