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
		{"unknown key in the second service", "[[service]]\nname = \"a\"\n[[service]]\nname = \"b\"\nunits = \"x\"", "5: unknown key service.units; there are name, unit, exec, after, stop_timeout, health"},
		{"unknown key after a long value", "[[service]]\nname = \"a\"\nexec = [\n  \"/a\",\n]\nx = [\n 1,\n]", "6: unknown key service.x"},
		{"unknown for its case", "[http]\nListen = \"127.0.0.1:1\"", "2: unknown key http.Listen"},
		{"syntax", "[http]\nlisten = \n", "2: "},
		{"twice", "[http]\nlisten = \"a:1\"\nlisten = \"b:1\"", "3: "},
		{"type", "[http]\nlisten = 7", "2: http.listen: incompatible types"},
		{"duration without unit", "[legacy]\ntrust_window = 30", "2: legacy.trust_window: \"30\" is not a duration"},
		{"negative duration", "[legacy]\ntrust_window = \"-1h\"", "2: legacy.trust_window: \"-1h\" is negative"},
		{"relative path", "[paths]\nbin = \"bin\"", "paths.bin: \"bin\" is not a clean absolute path"},
		{"root as path", "[paths]\nbin = \"/\"", "paths.bin"},
		{"relative keys", "[paths]\nkeys = \"keys\"", "paths.keys: \"keys\" is not a clean absolute path"},
		{"keys inside versions", "[paths]\nkeys = \"/opt/tope/versions/keys\"", "paths.keys: /opt/tope/versions/keys must lie outside"},
		{"state inside versions", "[paths]\nstate = \"/opt/tope/versions/x\"", "paths.state: /opt/tope/versions/x must lie outside"},
		{"writable outside", "[paths]\nwritable = [\"../x\"]", "paths.writable: \"../x\""},
		{"listen", "[http]\nlisten = \"12315\"", "http.listen: \"12315\" is not HOST:PORT"},
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
		{"retention", "[retention]\nupdates = 0", "retention.updates"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tc.text))
			require.ErrorContains(t, err, tc.want)
		})
	}
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
