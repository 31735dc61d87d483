package httpapi_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/platform/source/sourcetest"
)

// The API takes the sources that the Download step can read, and no others.
func TestInstallTakesWhatCanBeDownloaded(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"url": c.URL})
			require.NoError(t, err)
			d := httpapitest.New()
			r := ask(d.Handler(), "POST", "/api/v2/install", string(body))
			if c.Refused() {
				p := refusedAs(t, r, 400, "invalid")
				require.NotContains(t, p.Detail, sourcetest.Secret)
				require.Empty(t, d.Calls())
				return
			}
			require.Equal(t, 202, r.StatusCode, text(t, r))
			require.Len(t, d.Calls(), 1)
		})
	}
}

// The legacy API takes those of web servers only.
func TestLegacyDownloadTakesWebServersOnly(t *testing.T) {
	for _, c := range sourcetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			fields := map[string]any{}
			require.NoError(t, json.Unmarshal([]byte(wanted), &fields))
			fields["package_url"] = c.URL
			body, err := json.Marshal(fields)
			require.NoError(t, err)
			d := httpapitest.New()
			r := ask(d.Handler(), "POST", download, string(body))
			answer := text(t, r)
			require.NotContains(t, answer, sourcetest.Secret)
			if !c.Web {
				require.Equal(t, 400, r.StatusCode, answer)
				require.Empty(t, d.Calls())
				return
			}
			require.Equal(t, 200, r.StatusCode, answer)
			require.Len(t, d.Calls(), 1)
		})
	}
}
