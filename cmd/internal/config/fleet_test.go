package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/secret"
	"github.com/tope/updater/steps/bundle/channel"
)

// Without a source a device asks nobody, whatever else is configured.
func TestNoSourceMeansNobodyIsAsked(t *testing.T) {
	require.False(t, config.Default().Fleet.Asks())
	for text, asks := range map[string]bool{
		"policy = \"install\"\nprobation = \"0\"":                              false,
		"channel = \"https://h/stable.channel\"":                               true,
		"channel = \"https://h/stable.channel\"\npolicy = \"none\"":            false,
		"channel = \"https://h/stable.channel\"\npolicy = \"check\"":           true,
		"hawkbit = \"https://h\"":                                              true,
		"hawkbit = \"https://h\"\npolicy = \"none\"\nattributes = {a = \"b\"}": false,
	} {
		c, err := config.Parse([]byte("[fleet]\n" + text))
		require.NoError(t, err, text)
		require.Equal(t, asks, c.Fleet.Asks(), text)
	}
}

func TestAFleetOfAChannel(t *testing.T) {
	c, err := config.Parse([]byte(`
[fleet]
channel = "https://updates.example/printer/stable-2.channel"
id = "printer-7"
early = true
poll = "90m"
time_zone = "Europe/Berlin"
veto = ["/usr/bin/busy", "--printing"]
veto_timeout = "2s"
veto_failure = "free"
max_defer = "168h"
metered = "allow"
data_budget = "200MB"
probation = "0"
[[fleet.window]]
days = ["mon", "fri"]
from = "22:00"
to = "05:00"
[[fleet.window]]
from = "12:00"
to = "24:00"
`))
	require.NoError(t, err)
	f := c.Fleet
	require.Equal(t, "stable-2", f.ChannelName())
	require.Equal(t, config.PolicyInstall, f.Policy)
	require.False(t, f.NeedsToken())
	require.Equal(t, 90*time.Minute, time.Duration(f.Poll))
	require.Equal(t, []config.FleetWindow{{Days: []string{"mon", "fri"}, From: "22:00", To: "05:00"}, {From: "12:00", To: "24:00"}}, f.Window)
	require.Equal(t, 7*24*time.Hour, time.Duration(f.MaxDefer))
	require.EqualValues(t, 200_000_000, f.DataBudget)
	require.Zero(t, f.Probation)
}

// Each kind of proof becomes what the client takes.
func TestAFleetOfAServer(t *testing.T) {
	certificate := "[[download.server]]\nurl = \"https://hawkbit.example:443/\"\nclient_cert = \"/c\"\nclient_key = \"/k\"\n"
	for _, c := range []struct {
		text  string
		auth  ddi.Auth
		token bool
	}{
		{"", ddi.TargetToken, true},
		{"auth = \"target\"\ntoken_file = \"/etc/tope-updater/fleet.token\"\n", ddi.TargetToken, true},
		{"auth = \"gateway\"\n", ddi.GatewayToken, true},
		{"auth = \"mtls\"\n" + certificate, ddi.NoToken, false},
		{"auth = \"none\"\n", ddi.NoToken, false},
	} {
		parsed, err := config.Parse([]byte(`[fleet]
hawkbit = "https://hawkbit.example/server"
tenant = "LAB"
links = ["http://hawkbit.example", "https://inside:8443"]
mirrors = ["https://cdn.example"]
attributes = { Site = "lab", "rack.row" = "3" }
` + c.text + `[[download.server]]
url = "https://cdn.example"
headers = { Authorization = "another server's" }
`))
		require.NoError(t, err, c.text)
		f := parsed.Fleet
		require.Equal(t, c.token, f.NeedsToken())
		require.Equal(t, ddi.Config{
			URL: "https://hawkbit.example/server", Tenant: "LAB", Auth: c.auth,
			Aliases: []string{"http://hawkbit.example", "https://inside:8443"}, Mirrors: []string{"https://cdn.example"},
		}, f.DDI())
		require.Equal(t, map[string]string{"Site": "lab", "rack.row": "3"}, f.Attributes)
	}
}

// What the configuration lets pass the client takes, and what the client would refuse is
// told here already, by its key.
func TestTheClientTakesWhatIsConfigured(t *testing.T) {
	for text, taken := range map[string]bool{
		"hawkbit = \"https://h\"":                                            true,
		"hawkbit = \"https://h/\"":                                           true,
		"hawkbit = \"https://h:8443/a/b\"":                                   true,
		"hawkbit = \"http://h\"":                                             false,
		"hawkbit = \"http://h\"\nauth = \"none\"":                            true,
		"hawkbit = \"http://127.0.0.1:8080\"":                                true,
		"hawkbit = \"http://localhost\"\nauth = \"gateway\"":                 true,
		"hawkbit = \"http://[::1]:1\"":                                       true,
		"hawkbit = \"h\"":                                                    false,
		"hawkbit = \"ftp://h\"":                                              false,
		"hawkbit = \"https://\"":                                             false,
		"hawkbit = \"https://u:hunter2@h\"":                                  false,
		"hawkbit = \"https://h?a=hunter2\"":                                  false,
		"hawkbit = \"https://h#a\"":                                          false,
		"hawkbit = \"https://h\"\ntenant = \"a b\"":                          false,
		"hawkbit = \"https://h\"\ntenant = \"..\"":                           false,
		"hawkbit = \"https://h\"\ntenant = \"a@b:c_d-e\"":                    true,
		"hawkbit = \"https://h\"\nid = \"a/b\"":                              false,
		"hawkbit = \"https://h\"\nid = \"" + strings.Repeat("x", 128) + "\"": true,
		"hawkbit = \"https://h\"\nid = \"" + strings.Repeat("x", 129) + "\"": false,
		"hawkbit = \"https://h\"\nlinks = [\"https://a/\"]":                  true,
		"hawkbit = \"https://h\"\nlinks = [\"https://a/b\"]":                 false,
		"hawkbit = \"https://h\"\nlinks = [\"a\"]":                           false,
		"hawkbit = \"https://h\"\nmirrors = [\"https://u@a\"]":               false,
	} {
		text = "[fleet]\n" + text
		c, err := config.Parse([]byte(text))
		if taken {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, "fleet.", text)
			require.NotContains(t, err.Error(), "hunter2", text)
			c = unchecked(text)
		}
		cfg := c.Fleet.DDI()
		if cfg.ID = c.Fleet.ID; cfg.ID == "" {
			cfg.ID = "x"
		}
		cfg.Clock = clock.System()
		if c.Fleet.NeedsToken() {
			cfg.Token = func() (secret.Text, error) { return secret.New("t"), nil }
		}
		_, err = ddi.New(cfg)
		require.Equal(t, taken, err == nil, "%s: %v", text, err)
	}
}

// unchecked has what the configuration's text says, also when that is refused.
func unchecked(text string) config.Config {
	c := config.Default()
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		value = strings.Trim(value, `[]"`)
		switch {
		case !ok:
		case key == "hawkbit":
			c.Fleet.HawkBit = value
		case key == "tenant":
			c.Fleet.Tenant = value
		case key == "id":
			c.Fleet.ID = value
		case key == "links":
			c.Fleet.Links = []string{value}
		case key == "mirrors":
			c.Fleet.Mirrors = []string{value}
		}
	}
	return c
}

// A device can be configured for exactly the channels that can be published.
func TestTheNamesOfChannels(t *testing.T) {
	for _, name := range []string{"stable", "beta-2", "a", "-", strings.Repeat("x", 100), "", "Stable", "a_b", "a.b", "ä", strings.Repeat("x", 101)} {
		_, err := config.Parse([]byte("[fleet]\nchannel = \"https://h/d/" + name + ".channel\""))
		published := channel.Source{Content: channel.Content{Schema: 1, Channel: name, Product: "p", PollMinutes: 360}, ValidHours: 336}
		require.Equal(t, published.Validate() == nil, err == nil, "%q: %v, %v", name, published.Validate(), err)
	}
}

func TestMistakesOfAFleet(t *testing.T) {
	const channelled, hawkbit = "channel = \"https://h/stable.channel\"\n", "hawkbit = \"https://h\"\n"
	many := ""
	for i := range 51 {
		many += fmt.Sprintf("a%d = \"b\"\n", i)
	}
	for _, c := range []struct{ text, want string }{
		{"polcy = \"check\"", "2: unknown key fleet.polcy; there are policy, channel, hawkbit, tenant, auth,"},
		{"window = \"x\"", "2: fleet.window: this is text in quotes, and has to be a list of tables: write [[fleet.window]]"},
		{"early = \"yes\"", "2: fleet.early: this is text in quotes, and has to be true or false"},
		{"policy = \"ask\"", "fleet.policy: \"ask\" is not one of none, check, download, install"},
		{"policy = \"\"", "fleet.policy: \"\" is not one of"},
		{channelled + hawkbit, "fleet.channel: fleet.channel and fleet.hawkbit are both set: a device asks one source; leave one out"},
		{"channel = \"h/stable.channel\"", "fleet.channel: \"h/stable.channel\" is not an http or https URL"},
		{"channel = \"ftp://h/stable.channel\"", "fleet.channel: \"ftp://h/stable.channel\" is not an http or https URL"},
		{"channel = \"https://u:hunter2@h/stable.channel\"", "fleet.channel: \"https://h/stable.channel\" is not an http or https URL without a user"},
		{"channel = \"https://h/stable.channel?token=hunter2\"", "fleet.channel: \"https://h/stable.channel?token=…\" is not"},
		{"channel = \"https://h/stable.json\"", "fleet.channel: \"https://h/stable.json\" does not end in NAME.channel"},
		{"channel = \"https://h/.channel\"", "does not end in NAME.channel"},
		{channelled + "early = true\nlate = true", "fleet.late: contradicts fleet.early"},
		{"early = true", "fleet.early: is for the rollouts of a channel, and fleet.channel is not set"},
		{hawkbit + "late = true", "fleet.late: is for the rollouts of a channel"},
		{channelled + "tenant = \"LAB\"", "fleet.tenant: is for a hawkBit server, and fleet.hawkbit is not set"},
		{channelled + "auth = \"gateway\"", "fleet.auth: is for a hawkBit server"},
		{channelled + "token_file = \"/t\"", "fleet.token_file: is for a hawkBit server"},
		{channelled + "links = [\"https://x\"]", "fleet.links: is for a hawkBit server"},
		{channelled + "mirrors = [\"https://x\"]", "fleet.mirrors: is for a hawkBit server"},
		{channelled + "attributes = { site = \"lab\" }", "fleet.attributes: is for a hawkBit server"},
		{hawkbit + "auth = \"basic\"", "fleet.auth: \"basic\" is not one of target, gateway, mtls, none"},
		{"hawkbit = \"https://h/?x=hunter2\"", "fleet.hawkbit: \"https://h/?x=…\" is not an https URL"},
		{"hawkbit = \"https://h/DEFAULT/controller/v1\"", "fleet.hawkbit: \"https://h/DEFAULT/controller/v1\" has more than the server"},
		{hawkbit + "attributes = [\"site=lab\"]", "3: fleet.attributes: this is a list in brackets, and has to be a table"},
		{"hawkbit = \"http://h\"", "fleet.hawkbit: http://h is not https, so that anybody on the way could read the token"},
		{"hawkbit = \"http://h\"\nauth = \"mtls\"", "fleet.hawkbit: http://h is not https, where there is no place for a certificate"},
		{hawkbit + "auth = \"mtls\"", "fleet.auth: \"mtls\" takes this device's certificate: add a [[download.server]] with url = \"https://h\", client_cert and client_key"},
		{hawkbit + "auth = \"mtls\"\n[[download.server]]\nurl = \"https://other\"\nclient_cert = \"/c\"\nclient_key = \"/k\"", "fleet.auth: \"mtls\" takes this device's certificate"},
		{hawkbit + "[[download.server]]\nurl = \"https://h\"\nheader_files = { authorization = \"/a\" }", "fleet.auth: with \"target\" this device's token goes to https://h, and [[download.server]] table 1 has another Authorization"},
		{hawkbit + "auth = \"mtls\"\n[[download.server]]\nurl = \"https://h\"\nheaders = { X-A = \"b\" }", "fleet.auth: \"mtls\" takes this device's certificate"},
		{hawkbit + "auth = \"none\"\ntoken_file = \"/t\"", "fleet.token_file: fleet.auth is \"none\", which has no token"},
		{hawkbit + "token_file = \"t\"", "fleet.token_file: \"t\" is not a clean absolute path of a file"},
		{hawkbit + "tenant = \"\"", "fleet.tenant: \"\" is not 1 to 128 letters"},
		{hawkbit + "links = [\"https://x/y\"]", "fleet.links: \"https://x/y\" is not a server alone"},
		{hawkbit + "mirrors = [\"x\"]", "fleet.mirrors: \"x\" is not a server alone"},
		{"id = \"a b\"", "fleet.id: \"a b\" is not 1 to 128 letters"},
		{"poll = \"30s\"", "2: fleet.poll: \"30s\" is not between 1m and 168h"},
		{"poll = \"0\"", "2: fleet.poll: \"0\" is not between 1m and 168h"},
		{"poll = \"often\"", "2: fleet.poll: \"often\" is not a duration"},
		{"[[fleet.window]]\nfrom = \"22:00\"\nto = \"05:00\"\n[[fleet.window]]\ndays = [\"Mon\"]\nfrom = \"22:00\"\nto = \"05:00\"", "fleet.window.days: in table 2, \"Mon\" is not one of mon, tue,"},
		{"[[fleet.window]]\nto = \"05:00\"", "fleet.window.from: in table 1, \"\" is not a time"},
		{"[[fleet.window]]\nfrom = \"24:00\"\nto = \"05:00\"", "fleet.window.from: in table 1, \"24:00\" is not a time from 00:00 to 23:59"},
		{"[[fleet.window]]\nfrom = \"7:00\"\nto = \"05:00\"", "fleet.window.from: in table 1, \"7:00\" is not a time"},
		{"[[fleet.window]]\nfrom = \"07:00\"\nto = \"24:01\"", "fleet.window.to: in table 1, \"24:01\" is not a time from 00:00 to 24:00"},
		{"[[fleet.window]]\nfrom = \"07:00\"\nto = \"08:60\"", "fleet.window.to: in table 1"},
		{"[[fleet.window]]\nfrom = \"07:00\"\nto = \"08:00\"\nday = [\"mon\"]", "5: unknown key fleet.window.day; there are days, from, to"},
		{strings.Repeat("[[fleet.window]]\nfrom = \"07:00\"\nto = \"08:00\"\n", 101), "fleet.window: there are 101, and 100 are allowed"},
		{"time_zone = \"\"", "fleet.time_zone: \"\" is not \"UTC\", \"local\", or the name of a time zone"},
		{"time_zone = \"../../etc/passwd\"", "fleet.time_zone"},
		{"time_zone = \"/etc/localtime\"", "fleet.time_zone"},
		{"time_zone = \"Europe/../../x\"", "fleet.time_zone: \"Europe/../../x\" is not"},
		{"veto = [\"busy\"]", "fleet.veto: command: \"busy\" is not the path of a program; write a list that begins with an absolute path"},
		{"veto = [\"\"]", "fleet.veto: command: \"\" is not the path"},
		{"veto_timeout = \"0\"", "fleet.veto_timeout: 0s is not between 100ms and 10m"},
		{"veto_failure = \"wait\"", "fleet.veto_failure: \"wait\" is not one of busy, free"},
		{"max_defer = \"0\"", "fleet.max_defer: 0s is not between 1m and 8760h"},
		{"metered = \"no\"", "fleet.metered: \"no\" is not one of allow, wait"},
		{"data_budget = \"1kB\"", "2: fleet.data_budget: \"1kB\" is not a size"},
		{"probation = \"1000h\"", "fleet.probation: 1000h0m0s is not between 0 (none) and 720h"},
		{hawkbit + "[fleet.attributes]\n" + many, "fleet.attributes: there are 51, and 50 are allowed"},
		{hawkbit + "attributes = { \"a b\" = \"c\" }", "fleet.attributes: \"a b\" is not a name"},
		{hawkbit + "attributes = { a = \"\" }", "fleet.attributes: the value of \"a\" is empty"},
		{hawkbit + "attributes = { a = \"" + strings.Repeat("x", 129) + "\" }", "fleet.attributes: the value of \"a\" is not up to 128 bytes"},
		{hawkbit + "attributes = { a = \"<b>\" }", "fleet.attributes: the value of \"a\" is not"},
	} {
		_, err := config.Parse([]byte("[fleet]\n" + c.text))
		require.ErrorContains(t, err, c.want, c.text)
		require.NotContains(t, err.Error(), "hunter2", c.text)
	}
}

// The daemon's sandbox is judged by what the fleet reads and executes, too.
func TestPlacesOfAFleet(t *testing.T) {
	c, err := config.Parse([]byte("[fleet]\nhawkbit = \"https://h\"\ntoken_file = \"/tmp/token\"\nveto = [\"/usr/bin/busy\", \"/x\"]"))
	require.NoError(t, err)
	require.Contains(t, c.Places(), config.Place{Key: "fleet.token_file", Path: "/tmp/token"})
	require.Contains(t, c.Places(), config.Place{Key: "fleet.veto", Path: "/usr/bin/busy"})
	require.Subset(t, config.Default().Places(), []config.Place{{Key: "paths.keys", Path: "/etc/tope-updater/keys"}})
	require.Len(t, c.Places(), len(config.Default().Places())+2)
}
