package httpapi_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
)

func TestHostsAndOrigins(t *testing.T) {
	type edits = []func(*http.Request)
	const ok = "" // no kind of problem
	for name, c := range map[string]struct {
		method string
		edits  edits
		kind   string
	}{
		"loopback":                      {"GET", nil, ok},
		"loopback, other port":          {"GET", edits{host("127.0.0.1:80")}, ok},
		"loopback, no port":             {"GET", edits{host("127.0.0.1")}, ok},
		"loopback, IPv6":                {"GET", edits{host("[::1]:12315")}, ok},
		"loopback, IPv6, no port":       {"GET", edits{host("[::1]")}, ok},
		"localhost":                     {"GET", edits{host("LocalHost.:12315")}, ok},
		"a configured name":             {"GET", edits{host("printer.lan:12315")}, ok},
		"a rebound name":                {"GET", edits{host("evil.example:12315")}, "foreign-host"},
		"a name that begins alike":      {"GET", edits{host("localhost.evil.example")}, "foreign-host"},
		"an address that begins alike":  {"GET", edits{host("127.0.0.1.evil.example")}, "foreign-host"},
		"no name":                       {"GET", edits{host("")}, "foreign-host"},
		"another address":               {"POST", edits{host("192.168.0.7")}, "foreign-host"},
		"same origin":                   {"POST", edits{header("Origin", "http://127.0.0.1:12315")}, ok},
		"same origin behind TLS":        {"POST", edits{host("printer.lan"), header("Origin", "https://printer.lan")}, ok},
		"another origin":                {"POST", edits{header("Origin", "http://evil.example")}, "foreign-origin"},
		"another origin, reading":       {"GET", edits{header("Origin", "http://evil.example")}, "foreign-origin"},
		"another port is another one":   {"POST", edits{header("Origin", "http://127.0.0.1:8080")}, "foreign-origin"},
		"an opaque origin":              {"POST", edits{header("Origin", "null")}, "foreign-origin"},
		"a broken origin":               {"POST", edits{header("Origin", "http://%zz")}, "foreign-origin"},
		"both rebound":                  {"POST", edits{host("evil.example"), header("Origin", "http://evil.example")}, "foreign-host"},
		"a form of another site":        {"POST", edits{header("Sec-Fetch-Site", "cross-site")}, "foreign-origin"},
		"a form of a neighbour":         {"POST", edits{header("Sec-Fetch-Site", "same-site")}, "foreign-origin"},
		"the page itself":               {"POST", edits{header("Sec-Fetch-Site", "same-origin")}, ok},
		"a link followed from anywhere": {"GET", edits{header("Sec-Fetch-Site", "cross-site")}, ok},
	} {
		t.Run(name, func(t *testing.T) {
			d := httpapitest.New()
			o := d.Options()
			o.Hosts = []string{"Printer.lan"}
			path := "/api/v2/status"
			if c.method == "POST" {
				path = "/api/v2/cancel"
			}
			r := ask(httpapi.New(o), c.method, path, "", c.edits...)
			if c.kind == ok {
				require.Less(t, r.StatusCode, 300)
				return
			}
			refusedAs(t, r, http.StatusForbidden, c.kind)
			require.Empty(t, d.Calls())
		})
	}
}

// By the network's door, which has TLS, the device is also called by its own name, also as
// neighbours spell it. On loopback that name opens nothing: a page may have it rebound.
func TestTheDeviceIsCalledByItsOwnName(t *testing.T) {
	own, err := os.Hostname()
	require.NoError(t, err)
	overTLS := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	h := httpapitest.New().Handler()
	for _, name := range []string{own, strings.ToUpper(own) + ":12316", own + ".local", own + ".local.:12316"} {
		require.Equal(t, 200, ask(h, "GET", "/api/v2/status", "", host(name), overTLS).StatusCode, name)
		refusedAs(t, ask(h, "GET", "/api/v2/status", "", host(name)), http.StatusForbidden, "foreign-host")
	}
	for _, name := range []string{"", ".local", own + ".example.com", "not-" + own} {
		refusedAs(t, ask(h, "GET", "/api/v2/status", "", host(name), overTLS), http.StatusForbidden, "foreign-host")
	}
}

func TestBodiesThatAreNotTaken(t *testing.T) {
	const path = "/api/v2/install"
	body := `{"url":"http://h/b.zip"}`
	for name, c := range map[string]struct {
		body   string
		media  string
		status int
		kind   string
	}{
		"a form":            {body, "application/x-www-form-urlencoded", 415, "media-type"},
		"plain text":        {body, "text/plain", 415, "media-type"},
		"nonsense":          {body, ";;", 415, "media-type"},
		"nothing said":      {body, "", 415, "media-type"},
		"like JSON":         {body, "application/jsonx", 415, "media-type"},
		"too large":         {`{"url":"` + strings.Repeat("a", httpapi.MaxBody) + `"}`, "application/json", 413, "large-body"},
		"an unknown field":  {`{"url":"http://h/b.zip","retyr":true}`, "application/json", 400, "invalid"},
		"a field in CAPS":   {`{"URL":"http://h/b.zip"}`, "application/json", 400, "invalid"},
		"a field twice":     {`{"url":"http://h/b.zip","url":"http://h/c.zip"}`, "application/json", 400, "invalid"},
		"a wrong type":      {`{"url":"http://h/b.zip","retry":"yes"}`, "application/json", 400, "invalid"},
		"null":              {`{"url":"http://h/b.zip","retry":null}`, "application/json", 400, "invalid"},
		"two objects":       {body + body, "application/json", 400, "invalid"},
		"nothing":           {"", "application/json", 400, "invalid"},
		"deep":              {`{"a":` + strings.Repeat("[", 15000), "application/json", 400, "invalid"},
		"scheme ftp":        {`{"url":"ftp://h/b.zip"}`, "application/json", 400, "invalid"},
		"a relative path":   {`{"url":"b.zip"}`, "application/json", 400, "invalid"},
		"a file of a host":  {`{"url":"file://h/b.zip"}`, "application/json", 400, "invalid"},
		"a negative size":   {`{"url":"http://h/b.zip","size":-1}`, "application/json", 400, "invalid"},
		"a version of junk": {`{"url":"http://h/b.zip","version":"one"}`, "application/json", 400, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			d := httpapitest.New()
			r := ask(d.Handler(), "POST", path, c.body, func(r *http.Request) {
				r.Header.Del("Content-Type")
				if c.media != "" {
					r.Header.Set("Content-Type", c.media)
				}
			})
			refusedAs(t, r, c.status, c.kind)
			require.Empty(t, d.Calls())
		})
	}
}

func TestWhatNoRouteMatches(t *testing.T) {
	h := httpapitest.New().Handler()
	refusedAs(t, ask(h, "GET", "/api/v2/nothing", ""), 404, "no-route")
	refusedAs(t, ask(h, "GET", "/api/v1.0/nothing", ""), 404, "no-route")
	r := ask(h, "GET", "/api/v2/install", "")
	refusedAs(t, r, 405, "wrong-method")
	require.Equal(t, "POST", r.Header.Get("Allow"))
	r = ask(h, "DELETE", "/api/v2/links", "")
	p := refusedAs(t, r, 405, "wrong-method")
	require.Equal(t, "GET, HEAD, POST", r.Header.Get("Allow"))
	require.Contains(t, p.Detail, "not DELETE")
}

func TestEveryAnswerForbidsCachesAndSniffing(t *testing.T) {
	h := httpapitest.New().Handler()
	for _, path := range []string{"/", "/api/v1.0/progress", "/api/v2/status", "/nothing"} {
		r := ask(h, "GET", path, "")
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"), path)
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"), path)
		require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), path)
	}
}

// A path that is not clean is nobody's. In a redirect to the clean one, "//evil" would
// be another host.
func TestPathsThatAreNotClean(t *testing.T) {
	absent := httpapi.Absent(httpapi.AbsentOptions{Why: errors.New("starting")})
	for _, h := range []http.Handler{httpapitest.New().Handler(), absent} {
		for _, path := range []string{
			"//api/v2/status", "//evil", "//evil/", "//evil/..", "/api//v2/status", "/api/v2/./status", "/api/v2/../v2/status", "///", "/api/v2/status//",
			"/api/v2/updates/../status", "//api/v1.0/progress",
		} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				r := ask(h, method, path, "")
				require.Empty(t, r.Header.Get("Location"), path)
				refusedAs(t, r, http.StatusNotFound, "no-route")
			}
		}
	}
}
