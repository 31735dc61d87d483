package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi/httpapitest"
)

// FuzzBodies sends a body to every POST route. For any body, the answer is a
// documented one and is JSON. The engine is asked at most once, and only for a
// bundle with an honest URL.
func FuzzBodies(f *testing.F) {
	var paths []string
	for _, e := range examples() {
		if e.method == "POST" {
			paths = append(paths, e.path)
			f.Add([]byte(e.body))
		}
	}
	for _, s := range []string{
		`{"version":"1.2.0","version":"1.3.0"}`, `{"to":null}`, `[]`, `{}{}`, "{\"to\":\"\xff\"}", `{"keep":1e3}`, `{"url":"http://[::1]:80/x"}`,
		`{"url":"/\u0000"}`, `{"url":"file:////x","size":9223372036854775807}`, strings.Repeat(`{"a":`, 100),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := httpapitest.New()
		h := d.Handler()
		for _, path := range paths {
			before := len(d.Calls())
			r := ask(h, "POST", path, string(body))
			require.Contains(t, []int{200, 202, 400, 403, 413, 415}, r.StatusCode, path)
			out := text(t, r)
			require.True(t, json.Valid([]byte(out)), out)
			calls := d.Calls()[before:]
			if r.StatusCode >= 400 {
				require.Empty(t, calls, "%s %q was refused after the engine had been asked", path, body)
			}
			for _, call := range calls {
				require.NotContains(t, call, "\x00")
				if strings.HasPrefix(call, "install") {
					require.Regexp(t, `^install \{Source:\{URL:(?i:https?://|file:|/)`, call)
				}
			}
		}
	})
}
