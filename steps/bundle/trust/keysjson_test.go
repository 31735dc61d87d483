package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	line  = "RWQtfeIgyEv1xLGQg4GhhD1fWo7NJRmJLrsuW0Kr5Pvh98CVh318yzlg"
	other = "RWReA1TNpYdHrOZZYhZSRRcvH15DyoapEgPSoMxw8vxP9OGlDrOoLHPo"
	whole = `{"schema":1,"serial":7,"expires":"2030-01-01T00:00:00Z","keys":[
{"name":"a","key":"` + line + `","not_before":"2026-01-01T00:00:00+01:00","not_after":"2027-01-01T00:00:00Z","revoked":true},
{"name":"b","key":"` + other + `"}]}` + "\n"
)

func TestParseKeys(t *testing.T) {
	d, err := parseKeys([]byte(whole))
	require.NoError(t, err)
	require.Equal(t, int64(7), d.serial)
	require.Equal(t, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), d.expires)
	require.Len(t, d.keys, 2)
	require.Equal(t, "C4F54BC820E27D2D", d.keys[0].keyID())
	require.True(t, d.keys[0].revoked)
	require.Equal(t, time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), d.keys[0].notBefore)
	require.False(t, d.keys[1].revoked)
	require.Zero(t, d.keys[1].notAfter)
}

func TestParseKeysIsStrict(t *testing.T) {
	key := `{"name":"a","key":"` + line + `"}`
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", ``, "JSON"},
		{"garbage", `{`, "JSON"},
		{"a list", `[]`, "JSON"},
		{"null", `null`, "null"},
		{"trailing data", whole + `{}`, "behind"},
		{"trailing garbage", whole + `x`, "behind"},
		{"a byte order mark", "\ufeff" + whole, "JSON"},
		{"invalid UTF-8", strings.Replace(whole, `"a"`, "\"\xff\"", 1), "UTF-8"},
		{"unknown field", `{"schema":1,"serial":1,"threshold":1,"keys":[` + key + `]}`, "threshold"},
		{"unknown field of a key", strings.Replace(whole, `"revoked"`, `"revokd"`, 1), "revokd"},
		{"duplicate", `{"schema":1,"serial":1,"serial":2,"keys":[` + key + `]}`, `"serial" is there twice`},
		{"duplicate in a key", strings.Replace(whole, `"revoked":true`, `"revoked":true,"revoked":false`, 1), `"revoked"`},
		{"duplicate by an escape", `{"schema":1,"serial":1,"s\u0065rial":2,"keys":[` + key + `]}`, `"serial"`},
		{"another case", strings.Replace(whole, `"revoked"`, `"Revoked"`, 1), `"Revoked"`},
		{"a letter that folds", strings.Replace(whole, `"revoked"`, `"revo`+"\u212a"+`ed"`, 1), "is unknown"},
		{"null for revoked", strings.Replace(whole, `true`, `null`, 1), "null"},
		{"text for revoked", strings.Replace(whole, `true`, `"true"`, 1), "JSON"},
		{"no schema", strings.Replace(whole, `"schema":1,`, ``, 1), "schema 0"},
		{"a newer schema", strings.Replace(whole, `"schema":1`, `"schema":2`, 1), "schema 2"},
		{"no serial", strings.Replace(whole, `"serial":7,`, ``, 1), "serial 0"},
		{"a negative serial", strings.Replace(whole, `:7`, `:-7`, 1), "serial -7"},
		{"a broken serial", strings.Replace(whole, `:7`, `:7.5`, 1), "JSON"},
		{"a serial too large", strings.Replace(whole, `:7`, `:9223372036854775808`, 1), "JSON"},
		{"no keys", `{"schema":1,"serial":1}`, "no keys"},
		{"an empty list", `{"schema":1,"serial":1,"keys":[]}`, "no keys"},
		{"a key twice", strings.Replace(whole, other, line, 1), `"b" is the same key as "a"`},
		{"no key", strings.Replace(whole, other, "", 1), "key number 2"},
		{"a short key", strings.Replace(whole, other, other[:40], 1), "key number 2"},
		{"a key and more", strings.Replace(whole, other, other+`\n`+line, 1), "key number 2"},
		{"a key with a line feed", strings.Replace(whole, other, other+`\n`, 1), "key number 2"},
		{"no name", strings.Replace(whole, `"b"`, `""`, 1), "cannot be a key's name"},
		{"a name that moves the cursor", strings.Replace(whole, `"b"`, `"\u001b[2J"`, 1), "cannot be a key's name"},
		{"a long name", strings.Replace(whole, `"b"`, `"`+strings.Repeat("b", 101)+`"`, 1), "cannot be a key's name"},
		{"a date only", strings.Replace(whole, `2030-01-01T00:00:00Z`, `2030-01-01`, 1), "JSON"},
		{"the zero time", strings.Replace(whole, `2030-01-01`, `0001-01-01`, 1), "makes no sense"},
		{"times the wrong way around", strings.Replace(whole, `2027-`, `2017-`, 1), "later than"},
		{"deep", strings.Repeat(`[`, 100_000), "JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parseKeys([]byte(tc.text))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// For any content of the file there is no panic, and a document that is returned can be
// read in only one way.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"schema":1,"serial":1,"serial":2,"keys":[{"name":"a","key":"` + line + `"}]}`))
	f.Add([]byte(`{"schema":1,"serial":9223372036854775807,"keys":[{"name":"a","key":"` + other + `","revoked":true}]}`))
	f.Add([]byte(`{"schema":1,"Serial":null,"keys":[{}]}{}`))
	f.Add([]byte(`{"schema":1,"serial":1,"keys":[{"name":"a","key":"` + line + `","use":["channel"]},{"name":"b","key":"` + other + `","use":["release"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parseKeys(text)
		if err != nil {
			return
		}
		require.Positive(t, d.serial)
		require.NotEmpty(t, d.keys)
		var lenient map[string]any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&lenient))
		require.Equal(t, strconv.FormatInt(d.serial, 10), fmt.Sprint(lenient["serial"]))
		require.Subset(t, []string{"schema", "serial", "expires", "keys"}, slices.Collect(maps.Keys(lenient)))
		_, err = parseKeys(append(bytes.Clone(text), "{}"...))
		require.Error(t, err, "and with more behind it")
		points := map[[32]byte]bool{}
		for _, k := range d.keys {
			require.False(t, points[k.point])
			points[k.point] = true
			require.NotEmpty(t, k.name)
			require.Len(t, k.String(), 56)
			require.Contains(t, []Use{Releases, Channel}, k.use)
		}
	})
}
