package health_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
)

func web(url string) health.Check { return health.Check{Service: "web", Kind: health.HTTP, URL: url} }

func port(address string) health.Check {
	return health.Check{Service: "web", Kind: health.TCP, Address: address}
}

func command(args ...string) health.Check {
	return health.Check{Service: "web", Kind: health.Command, Command: args}
}

// Both authors may write the same checks, except for programs of the version, which
// only a publisher may name, and long waits, which only a device may ask for.
func TestValidate(t *testing.T) {
	const both, publisher, device, nobody = "device and publisher", "publisher", "device", "nobody"
	for _, c := range []struct {
		check health.Check
		may   string
		why   string
	}{
		{health.Check{Service: "web", Kind: health.Active}, both, ""},
		{health.Check{Service: "web@1.a_b", Kind: health.Active, Timeout: clock.Duration(time.Hour)}, both, ""},
		{health.Check{Service: "web", Kind: health.Active, Timeout: clock.Duration(2 * time.Hour)}, device, "timeout 2h0m0s is longer"},
		{health.Check{Service: "web", Kind: health.Active, Stable: clock.Duration(2 * time.Hour)}, device, "stable 2h0m0s is longer"},
		{health.Check{Kind: health.Active}, nobody, "names no service"},
		{health.Check{Service: "../web", Kind: health.Active}, nobody, "not a service's name"},
		{health.Check{Service: "web"}, nobody, "no such kind; write active, http, tcp or command"},
		{health.Check{Service: "web", Kind: "hook", Command: []string{"/x"}}, nobody, "no such kind"},
		{health.Check{Service: "web", Kind: "HTTP", URL: "http://h/"}, nobody, "no such kind"},

		{web("http://127.0.0.1:8080/"), both, ""},
		{web("http://127.0.0.1:8080"), both, ""},
		{web("HTTPS://h/a/b?c=d#e"), both, ""},
		{web("http://[::1]:8080/"), both, ""},
		{web("http://:8080/"), both, ""},
		{web("http://me:s3cr3t@h/"), both, ""},
		{web(""), nobody, "it has no url"},
		{web("http://"), nobody, `url "http://" names no host`},
		{web("http:///health"), nobody, "names no host"},
		{web("http://:/"), nobody, "names no host"},
		{web("http:h/health"), nobody, "names no host"},
		{web("http://me:s3cr3t@/health"), nobody, "names no host"},
		{web("http://h:0/"), nobody, "has port 0"},
		{web("http://h:65536/"), nobody, "has port 65536"},
		{web("http://h h/"), nobody, "cannot be parsed"},
		{web("http://me:s3cr3t#@h/"), nobody, "cannot be parsed"},
		{web("http://h/\n"), nobody, "cannot be parsed"},
		{web("file:///etc/passwd"), nobody, "neither http nor https"},
		{web("me:s3cr3t@h/health"), nobody, "neither http nor https"},
		{web("127.0.0.1:8080"), nobody, "cannot be parsed"},

		{web("http://bücher.example/"), both, ""},
		{web("http://[fe80::1%25eth0]:80/"), both, ""},
		{web("http://h:80@/"), nobody, "names no host"},
		{web("http://\"h\"/"), nobody, "has no name or address of a host"},
		{web("http://*/"), nobody, "has no name or address of a host"},

		{port("127.0.0.1:80"), both, ""},
		{port("[fe80::1%eth0]:80"), both, ""},
		{port("my_host-1.example.:80"), both, ""},
		{port(" h:80"), nobody, "has no name or address of a host"},
		{port("a b:80"), nobody, "has no name or address of a host"},
		{port("h/x:80"), nobody, "has no name or address of a host"},
		{port("me@h:80"), nobody, "has no name or address of a host"},
		{port("[::zz]:80"), nobody, "has no name or address of a host"},
		{port("[::1]:80"), both, ""},
		{port(":80"), both, ""},
		{port(""), nobody, "it has no address"},
		{port(":"), nobody, `address ":" has no port`},
		{port("h:"), nobody, "has no port"},
		{port("h:0"), nobody, "has no port"},
		{port("h:http"), nobody, "has no port"},
		{port("h:70000"), nobody, "has no port"},
		{port("::1:80"), nobody, "has no port"},

		{command("/usr/bin/true"), both, ""},
		{command("bin/check", "deep"), publisher, "not the path of a program"},
		{command(), nobody, "it has no command"},
		{command(""), nobody, "not the path of a program"},
		{command("."), nobody, "not the path of a program"},
		{command("../bin/check"), nobody, "not the path of a program"},
		{command("bin/../../check"), nobody, "not the path of a program"},
		{command("/bin/x", "a\x00b"), nobody, "zero byte"},
		{command("/"), nobody, "not the path of a program"},
		{command("/usr/bin/"), nobody, "not the path of a program"},
	} {
		for by, name := range map[health.Author]string{health.Device: device, health.Publisher: publisher} {
			err := c.check.Validate(by)
			if strings.Contains(c.may, name) {
				require.NoError(t, err, "%+v by the %s", c.check, name)
				continue
			}
			require.ErrorContains(t, err, c.why, "%+v by the %s", c.check, name)
			require.Contains(t, err.Error(), "write ", "it says what to do")
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "s3cr3t")
		}
		require.NotContains(t, c.check.Target(), "s3cr3t")
	}
}

func TestReleasedNamesTheFirstBadCheck(t *testing.T) {
	good := port("h:80")
	require.NoError(t, health.Released(nil))
	require.NoError(t, health.Released([]health.Check{good}))
	require.EqualError(t, health.Released([]health.Check{good, web("http://")}),
		`health check 2 (http of web): url "http://" names no host; write it like http://127.0.0.1:8080/health`)
	require.ErrorContains(t, health.Released(make([]health.Check, health.MaxChecks+1)), "101 health checks, more than the 100 allowed")
}

// The keys are those of the releases and manifests that exist already.
func TestTheKeysAreTheOldOnes(t *testing.T) {
	const text = `{"service":"web","kind":"http","url":"u","address":"a","command":["c"],"timeout":"20s","stable":"5s"}`
	var c health.Check
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	again, err := json.Marshal(c)
	require.NoError(t, err)
	require.Equal(t, text, string(again))
	again, err = json.Marshal(health.Check{Service: "web", Kind: health.Active})
	require.NoError(t, err)
	require.Equal(t, `{"service":"web","kind":"active"}`, string(again))
}
