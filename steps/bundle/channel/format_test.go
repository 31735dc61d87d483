package channel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
)

// sound is a body with every field.
const sound = `{"schema":1,"channel":"stable","product":"printer","keys_serial":3,"poll_minutes":360,
"releases":[
{"version":"1.3.0","hardware":["rev-b","rev-c"],"from":"1.1.0","url":"app-1.3.0.tope","size":12345678,
"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
"rollout":{"seed":"stable/1.3.0","start":"2026-11-29T12:00:00Z","percent":12.5,"to":100,"hours":72},"state":"open"},
{"version":"1.2.9","hardware":["rev-a"],"url":"https://cdn.example/app.tope","size":1,
"digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
"rollout":{"seed":"x","start":"2026-11-29T12:00:00Z","percent":0},"state":"halted","why":"loses the calibration"}],
"serial":42,"issued":"2026-11-29T10:00:00Z","expires":"2026-12-13T10:00:00Z"}`

func TestParse(t *testing.T) {
	f, err := channel.Parse([]byte(sound))
	require.NoError(t, err)
	require.EqualValues(t, 42, f.Serial)
	require.Equal(t, 14*24*time.Hour, f.Expires.Sub(f.Issued))
	require.Equal(t, channel.Percent(1250), f.Releases[0].Rollout.Percent)
	body, err := f.Encode()
	require.NoError(t, err)
	again, err := channel.Parse(body)
	require.NoError(t, err)
	require.Equal(t, f, again)
	same, err := again.Encode()
	require.NoError(t, err)
	require.Equal(t, string(body), string(same), "the same channel gives the same bytes")
}

func TestParseIsStrict(t *testing.T) {
	const b = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	for _, c := range []struct{ from, to, want string }{
		{`"schema":1`, `"schema":2`, "schema 2, this program knows 1"},
		{`"serial":42`, `"serial":42,"serial":43`, "there twice"},
		{`"serial":42`, `"Serial":42`, "is unknown"},
		{`"serial":42`, `"serial":42,"device":"x"`, "device"},
		{`"serial":42`, `"serial":null`, "null"},
		{`"serial":42`, `"serial":0`, "serial 0"},
		{`"serial":42`, `"serial":9007199254740992`, "serial 9007199254740992"},
		{`"serial":42`, `"serial":4.2`, "JSON"},
		{`"stable"`, `"Stable"`, "channel:"},
		{`"stable"`, `"../x"`, "channel:"},
		{`"printer"`, `""`, "product:"},
		{`"keys_serial":3`, `"keys_serial":-1`, "keys_serial"},
		{`"poll_minutes":360`, `"poll_minutes":1`, "poll_minutes is 1; want 5 to 10080"},
		{`2026-12-13T10`, `2026-11-29T10`, "expires"},
		{`2026-12-13`, `2028-12-13`, "want up to 9600 hours"},
		{`2026-12-13`, `0001-12-13`, "1970"},
		{`"1.3.0"`, `"v1.3.0"`, `write "1.3.0"`},
		{`"1.1.0"`, `"1.3.0"`, "from: 1.3.0 is not below 1.3.0"},
		{`"1.1.0"`, `"1.1"`, "from:"},
		{`"rev-b"`, `"rev-c"`, "there twice for one hardware"},
		{`"1.2.9","hardware":["rev-a"]`, `"1.3.0"`, "there twice for one hardware"},
		{`"1.2.9","hardware":["rev-a"]`, `"1.3.0","hardware":["rev-b"]`, "there twice for one hardware"},
		{`"rev-a"`, `"\u001b[2J"`, "hardware"},
		{`"size":1,`, `"size":0,`, "size is 0"},
		{b, strings.ToUpper(b), "digest"},
		{b, b[1:], "digest"},
		{"sha256:" + b, b, "digest"},
		{`https://cdn`, `http://cdn`, "neither an https URL"},
		{`"open"`, `"gone"`, `state: "gone"`},
		{`"open"`, `"withdrawn"`, "why is missing"},
		{`"open"`, `"open","why":"x"`, "not open"},
		{`loses the`, `loses\nthe`, "one line"},
		{`loses the`, strings.Repeat("x", 201), "one line"},
		{`"seed":"x"`, `"seed":""`, "seed"},
		{`12.5`, `12.555`, "percentage"},
		{`12.5`, `-1`, "percentage"},
		{`12.5`, `"5"`, "percentage"},
		{`"to":100`, `"to":10`, "a rollout only grows"},
		{`,"to":100`, ``, "belong together"},
		{`,"hours":72`, ``, "belong together"},
		{`"hours":72`, `"hours":9000`, "hours is 9000"},
		{`T12:00:00Z`, ``, "JSON"},
		{`"expires":"2026-12-13T10:00:00Z"}`, `"expires":"2026-12-13T10:00:00Z"}{}`, "behind"},
	} {
		require.Contains(t, sound, c.from)
		_, err := channel.Parse([]byte(strings.Replace(sound, c.from, c.to, 1)))
		require.ErrorContains(t, err, c.want, c.to)
	}
}

func TestUnsealIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		``:   "JSON",
		`{}`: "schema 0",
		`{"schema":2,"channel":"YQ==","signatures":["YQ=="]}`:                          "schema 2",
		`{"schema":1,"channel":"","signatures":["YQ=="]}`:                              "no channel",
		`{"schema":1,"channel":"YQ==","signatures":[]}`:                                "0 signatures",
		`{"schema":1,"channel":"YQ==","signatures":["YQ==","","","",""]}`:              "5 signatures",
		`{"schema":1,"channel":"YQ==","signatures":["YQ=="],"keys":"YQ=="}`:            "keys",
		`{"schema":1,"channel":"YQ==","channel":"YQ==","signatures":["YQ=="]}`:         "twice",
		`{"schema":1,"channel":"?","signatures":["YQ=="]}`:                             "JSON",
		`{"schema":1,"channel":"YQ==","signatures":["YQ=="]} `:                         "",
		`{"schema":1,"channel":"YQ==","signatures":["YQ=="]}` + strings.Repeat("x", 9): "behind",
	} {
		_, _, err := channel.Unseal([]byte(text))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}

// A change that is refused leaves the source as it was.
func TestEditing(t *testing.T) {
	s := &channel.Source{Content: stable(1).Content, ValidHours: 336}
	require.ErrorContains(t, s.Ramp("1.3.0", "", channel.Rollout{}, false, today()), "has no version 1.3.0; it has none yet")
	require.NoError(t, s.Add(release("1.1.0", "a")))
	require.NoError(t, s.Add(release("1.2.0", "b")))
	require.Equal(t, "1.2.0", s.Releases[0].Version, "the highest comes first")
	before, err := s.Encode()
	require.NoError(t, err)
	grows := channel.Rollout{Percent: 500, To: channel.All, Hours: 72}
	require.ErrorContains(t, s.Add(release("1.2.0", "c")), "version 1.2.0 already")
	require.ErrorContains(t, s.Ramp("1.3.0", "", grows, false, today()), "has no version 1.3.0; it has 1.2.0, 1.1.0")
	require.ErrorContains(t, s.Ramp("1.2.0", "", channel.Rollout{Percent: 500, To: 1, Hours: 1}, false, today()), "only grows")
	require.ErrorContains(t, s.Stop("1.2.0", "", channel.Halted, ""), "why is missing")
	after, err := s.Encode()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	// The seed stays, and the shares count from now: not from a start that is long past.
	seed := s.Releases[0].Rollout.Seed
	require.NoError(t, s.Ramp("1.2.0", "", grows, false, today()))
	require.Equal(t, seed, s.Releases[0].Rollout.Seed)
	require.EqualValues(t, 50_000_000, s.Releases[0].Rollout.Share(today()))
	later := grows
	later.Start = today().Add(time.Hour)
	require.NoError(t, s.Ramp("1.2.0", "", later, false, today()))
	require.NoError(t, s.Ramp("1.2.0", "", grows, false, today()))
	require.Equal(t, later.Start, s.Releases[0].Rollout.Start, "a start to come stays")

	require.NoError(t, s.Stop("1.2.0", "", channel.Halted, "x"))
	require.ErrorContains(t, s.Ramp("1.2.0", "", grows, false, today()), "say --resume")
	require.NoError(t, s.Ramp("1.2.0", "", grows, true, today()))
	require.Equal(t, channel.Open, s.Releases[0].State)
	require.NoError(t, s.Stop("1.2.0", "", channel.Withdrawn, "x"))
	require.ErrorContains(t, s.Ramp("1.2.0", "", grows, true, today()), "for good")
	require.ErrorContains(t, s.Stop("1.2.0", "", channel.Halted, "y"), "for good")
}
