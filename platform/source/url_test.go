package source_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/secret/secrettest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/source/sourcetest"
)

const word = sourcetest.Secret

// secretive has a secret at each place of a URL that may have one.
const secretive = "https://" + word + ":" + word + "@h/r.tope?token=" + word + "&" + word + "&x=" + word + "#" + word

func TestRedacted(t *testing.T) {
	for raw, shown := range map[string]string{
		secretive:                           "https://h/r.tope?token=…&…&x=…",
		"https://me:pw@h:8443/r.tope?x=1":   "https://h:8443/r.tope?x=…",
		"http://h/a b%20c.tope":             "http://h/a b%20c.tope",
		"http://h/a b.tope?sig=" + word:     "http://h/a%20b.tope?sig=…",
		"http://h/r?=" + word:               "http://h/r?…",
		"http://h/r?" + word + "/" + word:   "http://h/r?…",
		"http://h/r?a%3D" + word + "=1":     "http://h/r?…",
		"http://h/r?a=1;b=" + word:          "http://h/r?a=…",
		"http://h/r#" + word:                "http://h/r",
		"/media/r.tope?x#y":                 "/media/r.tope?x#y",
		"file:///media/r.tope":              "file:///media/r.tope",
		"me:" + word + "@h/r.tope":          "me:…",
		"http://me:" + word + " x@h/r.tope": "(unreadable URL)",
		"":                                  "",
	} {
		u := source.New(raw)
		require.Equal(t, shown, u.Redacted())
		require.Equal(t, raw != shown, u.HasSecrets(), raw)
	}
	for _, c := range sourcetest.Cases() {
		require.NotContains(t, source.New(c.URL).Redacted(), word, c.Name)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	u := source.New(secretive)
	printed := secrettest.Printed(t, u)
	require.NotContains(t, printed, word)
	require.NotContains(t, printed, fmt.Sprintf("%x", word))
	require.Contains(t, printed, "https://h/r.tope?token=…")
	require.Equal(t, secretive, u.Unredacted())
}

func TestURLAsJSON(t *testing.T) {
	var o struct {
		URL source.URL `json:"url,omitzero"`
	}
	require.NoError(t, json.Unmarshal([]byte(`{"url":"https://h/r?t=1"}`), &o))
	require.True(t, o.URL.Equal(source.New("https://h/r?t=1")), "what is read is kept")
	require.False(t, o.URL.Equal(source.New("https://h/r?t=2")))
	b, err := json.Marshal(o)
	require.NoError(t, err)
	require.Equal(t, `{"url":"https://h/r?t=…"}`, string(b))
	o.URL = source.URL{}
	b, err = json.Marshal(o)
	require.NoError(t, err)
	require.Equal(t, `{}`, string(b))
	require.True(t, o.URL.Empty() && !o.URL.HasSecrets())
}

func TestShow(t *testing.T) {
	u, err := url.Parse(secretive)
	require.NoError(t, err)
	require.Equal(t, "https://h/r.tope?token=…&…&x=…", source.Show(u))
	require.Equal(t, word, u.User.Username(), "the URL itself stays")
}

func TestWithoutPassword(t *testing.T) {
	require.Equal(t, "http://:8080/health?deep=1", source.WithoutPassword("http://:8080/health?deep=1"))
	require.Equal(t, "http://me:xxxxx@h/health?deep=1", source.WithoutPassword("http://me:"+word+"@h/health?deep=1"))
	require.Equal(t, "health", source.WithoutPassword("health"))
	for _, c := range sourcetest.Cases() {
		require.NotContains(t, source.WithoutPassword(c.URL), word, c.Name)
	}
}

func TestScrub(t *testing.T) {
	for text, clean := range map[string]string{
		"cannot reach " + secretive + ": timeout":                          "cannot reach https://h/r.tope?token=…&…&x=…: timeout",
		`parse "http://h/?t=` + word + `": bad, (HTTPS://h/#` + word + `)`: `parse "http://h/?t=…": bad, (https://h/)`,
		"http://h/a http://h/b?c=" + word + ".":                            "http://h/a http://h/b?c=….",
		"no URL: ://":                                                      "no URL: ://",
		"unix:///run/api.sock?x=1":                                         "unix:///run/api.sock?x=1",
		"nothing":                                                          "nothing",
		"http://h/?sig=a's3cr3t x":                                         "http://h/?sig=… x",
		"http://h/?sig=a)s3cr3t}s|3>`x":                                    "http://h/?sig=…",
		"(http://h/?sig=s3cr3t) 'http://h/?a=s3cr3t', x":                   "(http://h/?sig=…) 'http://h/?a=…', x",
		"http://h/a'?sig=s3cr3t <http://h/?a=s3cr3t>":                      "http://h/a'?sig=… <http://h/?a=…>",
	} {
		require.Equal(t, clean, source.Scrub(text))
	}
}

func TestScrubJSON(t *testing.T) {
	raw := `{"b": 1.50, "url":"https://h/?a=1\u0026t=` + word + `", "a":["\"http://h/#` + word + `\"", "x"], "k://":null}`
	require.Equal(t, `{"b": 1.50, "url":"https://h/?a=…\u0026t=…", "a":["\"http://h/\"", "x"], "k://":null}`, string(source.ScrubJSON(json.RawMessage(raw))))
	for _, same := range []string{``, `{}`, `{"url":"https://h/r"}`, `"http://h/?t=`, `nonsense://"`} {
		require.Equal(t, same, string(source.ScrubJSON(json.RawMessage(same))))
	}
}

// FuzzScrub: a text is scrubbed once and for all, and JSON stays JSON.
func FuzzScrub(f *testing.F) {
	f.Add(secretive)
	f.Add(`{"a":"http://h/?x=1","b":["\\"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		clean := source.Scrub(text)
		require.Equal(t, clean, source.Scrub(clean))
		if json.Valid([]byte(text)) {
			require.True(t, json.Valid(source.ScrubJSON(json.RawMessage(text))))
		}
	})
}
