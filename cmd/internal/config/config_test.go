package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
)

func TestNoFileMeansTheDefaults(t *testing.T) {
	c, err := config.Parse(nil)
	require.NoError(t, err)
	require.Equal(t, config.Default(), c)

	require.Equal(t, "/opt/tope/versions", c.Paths.Versions)
	require.Equal(t, "/var/lib/tope-updater/journal.db", c.Paths.Journal())
	require.Equal(t, "/run/tope-updater/api.sock", c.Paths.Socket())
	require.Equal(t, "127.0.0.1:12315", c.HTTP.Listen)
	require.Equal(t, 2, c.Recovery.Budget)
	require.Equal(t, 24*time.Hour, time.Duration(c.Legacy.TrustWindow))
	require.Len(t, c.Service, 1)
	require.Equal(t, []health.Check{
		{Service: "device-api", Kind: "active", Timeout: config.Duration(30 * time.Second), Stable: config.Duration(5 * time.Second)},
		{Service: "device-api", Kind: "http", URL: "http://127.0.0.1:9080/health", Timeout: config.Duration(30 * time.Second)},
	}, c.Service[0].Health)
}

func TestAFileSaysOnlyWhatIsDifferent(t *testing.T) {
	c, err := config.Parse([]byte(`
[paths]
bin = "/opt/bin"
[services]
manager = "embedded"
[[service]]
name = "web-server"
after = ["device-api"]
stop_timeout = "2s"
[[service.health]]
kind = "tcp"
address = "127.0.0.1:80"
timeout = "10s"
[[service]]
name = "device-api"
exec = ["/opt/bin/device-api", "--port", "1"]
`))
	require.NoError(t, err)
	require.Equal(t, "/opt/tope/versions", c.Paths.Versions)
	web, api := c.Service[0], c.Service[1]
	require.Equal(t, []string{"/opt/bin/web-server"}, web.Exec)
	require.Equal(t, "web-server.service", web.Unit)
	require.Equal(t, []health.Check{{Service: "web-server", Kind: "tcp", Address: "127.0.0.1:80", Timeout: config.Duration(10 * time.Second)}}, web.Health)
	require.Equal(t, []string{"/opt/bin/device-api", "--port", "1"}, api.Exec)
	require.Len(t, api.Health, 2)
	require.Equal(t, 2*time.Second, web.Service().StopTimeout)
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "[http]\nlisten = \"127.0.0.1:1\"\nlisen = \"x\"", "3: unknown key http.lisen; there are listen, hosts"},
		{"unknown table", "\n\n[htp]\n", "3: unknown key htp; there are paths, http, device_api,"},
		{"unknown key in the second service", "[[service]]\nname = \"a\"\n[[service]]\nname = \"b\"\nunits = \"x\"", "5: unknown key service.units; there are name, unit, exec, after, stop_timeout, outside_versions, health"},
		{"unknown key after a long value", "[[service]]\nname = \"a\"\nexec = [\n  \"/a\",\n]\nx = [\n 1,\n]", "6: unknown key service.x"},
		{"unknown for its case", "[http]\nListen = \"127.0.0.1:1\"", "2: unknown key http.Listen"},
		{"syntax", "[http]\nlisten = \n", "2: "},
		{"twice", "[http]\nlisten = \"a:1\"\nlisten = \"b:1\"", "3: "},
		{"type", "[http]\nlisten = 7", "2: http.listen: this is a whole number, and has to be text in quotes"},
		{"type: list", "[http]\nhosts = \"a\"", "2: http.hosts: this is text in quotes, and has to be a list in brackets"},
		{"type: in a list", "[http]\nhosts = [1]", "2: http.hosts: this is a whole number, and has to be text in quotes"},
		{"type: number", "[recovery]\nbudget = \"2\"", "2: recovery.budget: this is text in quotes, and has to be a whole number"},
		{"type: fraction", "[recovery]\nbudget = 2.5", "2: recovery.budget: this is a number with a fraction, and has to be a whole number"},
		{"type: switch", "[trust]\nrequire_signature = \"yes\"", "2: trust.require_signature: this is text in quotes, and has to be true or false"},
		{"type: duration", "[legacy]\ntrust_window = [1]", "2: legacy.trust_window: this is a list in brackets, and has to be text in quotes"},
		{"type: table", "http = 7", "1: http: this is a whole number, and has to be a table"},
		{"type: tables", "service = \"x\"", "1: service: this is text in quotes, and has to be a list of tables: write [[service]]"},
		{"type: a table for tables", "[service]\nname = \"x\"", "1: service: this is a table, and has to be a list of tables: write [[service]]"},
		{"type: a date", "[http]\nlisten = 2026-01-01", "2: http.listen: this is a date, and has to be text in quotes"},
		{"number too large", "[recovery]\nbudget = 99999999999999999999", "2: recovery.budget: 99999999999999999999 is too large a number"},
		{"duration without unit", "[legacy]\ntrust_window = 30", "2: legacy.trust_window: \"30\" is not a duration"},
		{"negative duration", "[legacy]\ntrust_window = \"-1h\"", "2: legacy.trust_window: \"-1h\" is negative"},
		{"relative path", "[paths]\nbin = \"bin\"", "paths.bin: \"bin\" is not a clean absolute path"},
		{"root as path", "[paths]\nbin = \"/\"", "paths.bin"},
		{"relative keys", "[paths]\nkeys = \"keys\"", "paths.keys: \"keys\" is not a clean absolute path"},
		{"keys inside versions", "[paths]\nkeys = \"/opt/tope/versions/keys\"", "paths.keys: /opt/tope/versions/keys must lie outside"},
		{"state inside versions", "[paths]\nstate = \"/opt/tope/versions/x\"", "paths.state: /opt/tope/versions/x must lie outside"},
		{"writable outside", "[paths]\nwritable = [\"../x\"]", "paths.writable: \"../x\""},
		{"listen", "[http]\nlisten = \"12315\"", "http.listen: \"12315\" is not HOST:PORT"},
		{"lan without a port", "[http]\nlan = \"0.0.0.0\"", "http.lan: \"0.0.0.0\" is not HOST:PORT"},
		{"lan on the port of listen", "[http]\nlan = \"0.0.0.0:12315\"", "http.lan: port 12315 is taken by http.listen (127.0.0.1:12315); write another one, like 0.0.0.0:12316"},
		{"lan on loopback, on that port", "[http]\nlisten = \"0.0.0.0:7\"\nlan = \"localhost:7\"", "http.lan: port 7 is taken by http.listen (127.0.0.1:7)"},
		{"certificate without its key", "[http]\nlan = \":1\"\ntls_cert = \"/c\"", "http.tls_cert: http.tls_cert and http.tls_key belong together"},
		{"certificate, relative", "[http]\nlan = \":1\"\ntls_cert = \"c\"\ntls_key = \"/k\"", "http.tls_cert: \"c\" is not an absolute path"},
		{"certificate for nobody", "[http]\ntls_cert = \"/c\"\ntls_key = \"/k\"", "http.tls_key: is for the network, and http.lan is not set"},
		{"legacy api", "[legacy]\napi = \"closed\"", "legacy.api: \"closed\" is not one of open, token, off"},
		{"host with port", "[http]\nhosts = [\"a:1\"]", "http.hosts: \"a:1\""},
		{"device-api", "[device_api]\nurl = \"127.0.0.1:9080\"", "device_api.url"},
		{"manager", "[services]\nmanager = \"upstart\"", "services.manager: \"upstart\" is not one of systemd, embedded, none"},
		{"service without name", "[[service]]\nunit = \"x\"", "service number 1: name \"\""},
		{"service name that escapes", "[[service]]\nname = \"../x\"", "service number 1"},
		{"service twice", "[[service]]\nname = \"x\"\n[[service]]\nname = \"x\"", "service x: is there twice"},
		{"service after nobody", "[[service]]\nname = \"x\"\nafter = [\"y\"]", "service x: after: there is no service \"y\""},
		{"cycle", "[[service]]\nname = \"x\"\nafter = [\"y\"]\n[[service]]\nname = \"y\"\nafter = [\"x\"]", "in a cycle"},
		{"health kind", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"ping\"", "health check 1 (ping): there is no such kind; write active, http, tcp or command"},
		{"health url", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"http\"\nurl = \"ftp://x\"", "service x: health check 1 (http): url \"ftp://x\" is neither http nor https"},
		{"health url without a host", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"active\"\n[[service.health]]\nkind = \"http\"\nurl = \"http://\"", "service x: health check 2 (http): url \"http://\" names no host"},
		{"health address", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"tcp\"\naddress = \":\"", "health check 1 (tcp): address \":\""},
		{"health check of another service", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"active\"\nservice = \"y\"", "5: unknown key service.health.service; there are kind, url, "},
		{"health command in a version", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"command\"\ncommand = [\"bin/check\"]", "absolute path"},
		{"writable of the updater", "[paths]\nwritable = [\".snapshot-1\"]", "paths.writable: \".snapshot-1\": the updater uses such names itself"},
		{"device-api with a slash", "[device_api]\nurl = \"http://127.0.0.1:9080/\"", "device_api.url: \"http://127.0.0.1:9080/\" is not a base"},
		{"health command", "[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"command\"\ncommand = [\"true\"]", "absolute path"},
		{"budget", "[recovery]\nbudget = 0", "recovery.budget: 0 is not between"},
		{"proxy", "[download]\nproxy = \"proxy:3128\"", "download.proxy: \"proxy:3128\" is not the URL of a proxy"},
		{"no_proxy of no proxy", "[download]\nno_proxy = [\"x\"]", "download.proxy: proxy_auth and no_proxy are for a proxy that is named here"},
		{"bandwidth", "[download]\nbandwidth = \"500\"", "2: download.bandwidth: \"500\" is not a bandwidth"},
		{"bandwidth without unit", "[download]\nbandwidth = 500", "2: download.bandwidth: \"500\" is not a bandwidth"},
		{"server with a path", "[[download.server]]\nurl = \"https://x/y\"", "download.server.url: in table 1, the URL is not that of a server alone"},
		{"server, unknown key", "[[download.server]]\nurl = \"https://x\"\nkey = \"y\"", "3: unknown key download.server.key; there are url, client_cert, client_key, headers, header_files"},
		{"certificate of a variable that is not set", "[[download.server]]\nurl = \"https://x\"\n[[download.server]]\nurl = \"https://y\"\nclient_cert = \"\"\nclient_key = \"\"", "download.server.client_cert: in table 2, it is empty: name a file, or leave the key out"},
		{"key of a variable that is not set", "[[download.server]]\nurl = \"https://x\"\nclient_cert = \"/c\"\nclient_key = \"\"", "download.server.client_key: in table 1, it is empty"},
		{"header of a variable that is not set", "[[download.server]]\nurl = \"https://x\"\nheaders = { Authorization = \"\" }", "download.server.headers: in table 1, the value of \"Authorization\" is empty"},
		{"header file of a variable that is not set", "[[download.server]]\nurl = \"https://x\"\nheader_files = { Authorization = \"\" }", "download.server.header_files: in table 1, \"Authorization\" has no file"},
		{"server, unknown for its case", "[[download.server]]\nURL = \"https://x\"", "2: unknown key download.server.URL"},
		{"header that is not a string", "[[download.server]]\nurl = \"https://x\"\nheaders = { X-A = [\"b\"] }", "3: download.server.headers.X-A: "},
		{"reserved header", "[[download.server]]\nurl = \"https://x\"\nheaders = { Host = \"b\" }", "download.server.headers: in table 1, the updater sets Host itself"},
		{"retention", "[retention]\nupdates = 0", "retention.updates"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tc.text))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// The names of headers are the operator's, in any case; their values cannot be printed.
func TestServersAndTheirHeaders(t *testing.T) {
	c, err := config.Parse([]byte(`
[download]
proxy = "http://proxy:3128"
proxy_auth = "/etc/tope-updater/proxy"
no_proxy = ["10.0.0.0/8"]
ca_file = "/etc/tope-updater/ca.pem"
bandwidth = "1.5MB/s"
[[download.server]]
url = "https://a.example"
headers = { X-Model = "edge", "X.Dot" = "hunter2" }
header_files = { Authorization = "/etc/tope-updater/token" }
[[download.server]]
url = "https://b.example:8443"
client_cert = "/etc/tope-updater/client.pem"
client_key = "/etc/tope-updater/client.key"
[download.server.headers]
X-Model = "edge"
`))
	require.NoError(t, err)
	s := c.Download.Reach()
	require.Equal(t, "http://proxy:3128", s.Proxy)
	require.EqualValues(t, 1_500_000, s.Bandwidth)
	require.Len(t, s.Servers, 2)
	require.Equal(t, "hunter2", s.Servers[0].Headers["X.Dot"].Reveal())
	require.Equal(t, "edge", s.Servers[1].Headers["X-Model"].Reveal())
	require.Equal(t, "/etc/tope-updater/token", s.Servers[0].HeaderFiles["Authorization"])
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2")
}

// A check's URL is any URL, its path included; only device_api.url has
// to be a base without a path.
func TestHealthURLsThatAreTaken(t *testing.T) {
	for _, url := range []string{
		"http://127.0.0.1:8080/", "http://127.0.0.1:8080", "https://localhost/a/b/", "http://[::1]:8080/health?deep=1", "HTTP://localhost/", "http://:8080/",
	} {
		c, err := config.Parse([]byte("[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"http\"\nurl = \"" + url + "\""))
		require.NoError(t, err, url)
		require.Equal(t, url, c.Service[0].Health[0].URL)
	}
}

// The shipped example has every key with its default, so that nobody
// has to guess keys or defaults.
func TestTheExampleHasEveryDefault(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/config.toml")
	require.NoError(t, err)
	c, err := config.Parse(text)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%+v", config.Default()), fmt.Sprintf("%+v", c)) // nil and empty lists are the same
	for _, key := range keys(reflect.TypeFor[config.Config]()) {
		named := regexp.MustCompile(`(?m)^(# *)?(\[+([a-z_]+\.)?` + key + `\]+|` + key + ` +=)`)
		require.True(t, named.Match(text), "deploy/config.toml has no %s", key)
	}
}

func keys(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if name := f.Tag.Get("toml"); name != "-" {
			names = append(names, name)
		}
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			names = append(names, keys(inner)...)
		}
	}
	return names
}

func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	_, err := config.Load(path)
	require.ErrorContains(t, err, path)

	require.NoError(t, os.WriteFile(path, []byte("x = 1"), 0o600))
	_, err = config.Load(path)
	require.ErrorContains(t, err, path+":1: unknown key x")

	require.NoError(t, os.WriteFile(path, []byte("[recovery]\nbudget = -1"), 0o600))
	_, err = config.Load(path)
	require.ErrorContains(t, err, path+": recovery.budget")

	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("#", 1<<17)), 0o600))
	_, err = config.Load(path)
	require.ErrorContains(t, err, "is not a configuration")
}

// Whatever the file holds, nothing panics, and a configuration that comes back
// can be used without a second check.
func FuzzParse(f *testing.F) {
	f.Add("[http]\nlisten = \"127.0.0.1:1\"")
	f.Add("[[service]]\nname = \"x\"\n[[service.health]]\nkind = \"http\"\nurl = \"http://x/y\"")
	f.Add("[legacy]\ntrust_window = \"1h\"\nallow_post_cmds = true")
	f.Add("service = [{name = \"x\", health = [{kind = \"active\"}]}]")
	f.Add("a = [\n1,\n]\n\"b.c\" = '''\n'''")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		c, err := config.Parse([]byte(text))
		if err != nil {
			require.Regexp(t, `^([0-9]+:)? `, err.Error())
			return
		}
		for _, s := range c.Service {
			require.NotEmpty(t, s.Name)
			require.NotEmpty(t, s.Exec)
			require.NotEmpty(t, s.Health)
		}
	})
}

// A device that served the network without TLS, as versions before 0.10 allowed, goes on
// with its own programs alone: it must not be without a daemon, or without recovery.
func TestAnOpenAddressIsServedOnLoopback(t *testing.T) {
	for listen, local := range map[string]string{
		"127.0.0.1:12315": "127.0.0.1:12315", "localhost:1": "localhost:1", "[::1]:1": "[::1]:1", "": "",
		"0.0.0.0:12315": "127.0.0.1:12315", "[::]:1": "127.0.0.1:1", "192.0.2.7:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "printer.lan:1": "127.0.0.1:1",
	} {
		h := config.HTTP{Listen: listen}
		require.Equal(t, local, h.Local(), listen)
		require.Equal(t, listen != local, h.Open(), listen)
	}
	require.Contains(t, config.HTTP{Listen: "0.0.0.0:7"}.OpenText(), "at 127.0.0.1:7; write that")
}

// No mistake in a value's type is told in the words of Go.
func TestTypesAreToldInPlainWords(t *testing.T) {
	values := []string{"1", "1.5", "true", `"x"`, "[1]", `["x"]`, "{a = 1}", "[{a = 1}]", "2026-01-01T00:00:00Z", "99999999999999999999"}
	goWords := regexp.MustCompile(`\bint\d*\b|float64|\bbool\b|any\b|slice|map\[|primitive|destination|config\.|\*|interface|Go `)
	var walk func(table reflect.Type, path string)
	walk = func(table reflect.Type, path string) {
		for f := range table.Fields() {
			name := f.Tag.Get("toml")
			if name == "-" || name == "" {
				continue
			}
			for _, v := range values {
				if _, err := config.Parse([]byte(path + name + " = " + v)); err != nil {
					told, _, _ := strings.Cut(err.Error(), "; there are ")
					require.NotRegexp(t, goWords, told, "%s%s = %s", path, name, v)
				}
			}
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, path+name+".")
			}
		}
	}
	walk(reflect.TypeFor[config.Config](), "")
}

// Each line of an error names the file: two mistakes are two lines.
func TestEachMistakeNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte("[recovery]\nbudget = 0\n[retention]\nversions = 0\n"), 0o600))
	_, err := config.Load(path)
	require.ErrorIs(t, err, config.ErrMistake)
	require.EqualError(t, err, path+": recovery.budget: 0 is not between 1 and 100\n"+path+": retention.versions: 0 is not between 1 and 1000")
}
