package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi/httpapitest"
)

// What the document says of the texts in requests is what the program takes, on both
// sides of each limit.
func TestTextsAreAsDescribed(t *testing.T) {
	s := loadSpec(t)
	long := strings.Repeat("a", 255)
	for schema, c := range map[string]struct {
		body     string // with the text for %s
		path     string
		yes, not []string
	}{
		"VersionNumber": {
			`{"version":%s}`, "/api/v2/proceed",
			[]string{"1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-0a.x-y+build.007", "1.2.3--", strings.Repeat("1", 124) + ".0.0"},
			[]string{"", "v1.2.3", "1.2", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3-a..b", " 1.2.3", "1.2.3\n", "1.٢.3", strings.Repeat("1", 125) + ".0.0"},
		},
		"FileName": {
			`{"url":"/b","name":%s}`, "/api/v2/install",
			[]string{"a", "喷嘴 1.zip", "...", long, strings.Repeat("喷", 255)},
			[]string{"", ".", "..", "a/b", `a\b`, "a\tb", "a\u202eb", "a\u2028", "a\u0085", long + "a"},
		},
		"Source": {
			`{"url":%s}`, "/api/v2/install",
			[]string{
				"http://h", "HTTPS://h:65535/", "https://u:p%40@h:080/a%20b/喷?x=%zz#f", "http://[2001:db8::1]:8080/x", "http://[::1]/", "http://h:", "http://x*/",
				"/", "/a b/喷%", "file:///a%3Fb", "file:/a", "FILE://LocalHost/a",
			},
			[]string{
				"", "h", "ftp://h/", "http://", "http:///a", "http://h:0/", "http://h:65536/", "http://h:x/", "http://h/%zz", "http://h/a\nb", "http://a b/", "http://h/#%",
				"a/b", "file://", "file://other/a", "file:a", "file:///a?b", "file:///a?", "file:///a#b", "file:///a%00", "file:///a%7f", "/a\u0085b",
			},
		},
	} {
		for _, side := range []struct {
			texts []string
			good  bool
		}{{c.yes, true}, {c.not, false}} {
			for _, text := range side.texts {
				said := s.check("text", s.at("components", "schemas", schema), text)
				r := ask(httpapitest.New().Handler(), "POST", c.path, fmt.Sprintf(c.body, marshalled(t, text)))
				require.Equal(t, side.good, said == nil, "the document, %s: %q: %v", schema, text, said)
				require.Equal(t, side.good, r.StatusCode != http.StatusBadRequest, "the program, %s: %q: %d", schema, text, r.StatusCode)
			}
		}
	}
}

// A whole number is one however it is written, and what is empty is refused.
func TestNumbersAndEmptyTexts(t *testing.T) {
	const prune, clear, rollback = "/api/v2/prune", "/api/v2/quarantine/clear", "/api/v2/rollback"
	for _, e := range []example{
		{"POST", prune, `{"keep":2.0}`, "2xx"},
		{"POST", prune, `{"keep":1e1}`, "2xx"},
		{"POST", prune, `{"keep":2.5}`, "400"},
		{"POST", prune, `{"keep":1e300}`, "400"},
		{"POST", prune, `{"keep":9223372036854775808.0}`, "400"},
		{"POST", prune, `{"keep":"2"}`, "400"},
		{"POST", rollback, `{"to":""}`, "400"},
		{"POST", "/api/v2/factory/create", `{"version":""}`, "400"},
		{"POST", "/api/v2/links", `{"pointers":true,"current":""}`, "400"},
		{"POST", "/api/v2/install", `{"url":"/b","md5":""}`, "400"},
		{"POST", clear, `{"release":"","all":true}`, "400"},
		{"POST", clear, `{"release":"1.3.0","all":true}`, "400"},
		{"POST", clear, `{}`, "400"},
		{"POST", clear, `{"all":true,"why":""}`, "400"},
		{"POST", clear, `{"all":true,"why":"a\u202eb"}`, "400"},
		{"POST", clear, `{"all":true,"why":"` + strings.Repeat("喷", 200) + `"}`, "2xx"},
		{"POST", clear, `{"all":true,"why":"` + strings.Repeat("a", 201) + `"}`, "400"},
		{"GET", "/api/v2/status?timeout=1x", "", "400"},
		{"GET", "/api/v2/status?wait=0&wait=0", "", "400"},
		{"GET", "/api/v2/status?wait=", "", "400"},
		{"GET", "/api/v2/status?wait=0&timeout=%zz", "", "400"},
		{"GET", "/api/v2/journal?format=", "", "400"},
	} {
		r := ask(httpapitest.New().Handler(), e.method, e.path, e.body)
		if e.described == "400" {
			refusedAs(t, r, 400, "invalid")
			continue
		}
		require.Less(t, r.StatusCode, 300, "%s %s", e.path, e.body)
	}
}

func marshalled(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	require.NoError(t, err)
	return string(data)
}
