package ddi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
	"github.com/tope/updater/platform/printable"
)

// answering is a client of dev1 whose server answers with this.
func answering(t *testing.T, status int, body string) *ddi.Client {
	t.Helper()
	s := dditest.New(dditest.Switches{})
	cfg := config(clocktest.New(), s)
	cfg.Mirrors = []string{"https://cdn.test"}
	c, err := ddi.New(cfg)
	require.NoError(t, err)
	(&world{server: s}).trouble(dditest.Trouble{Status: status, Header: jsonHeader(), Body: body})
	return c
}

// FuzzPoll: whatever a server says, a link leads to an action with a plain name, and an
// error is one line without a secret.
func FuzzPoll(f *testing.F) {
	f.Add(200, `{"config":{"polling":{"sleep":"00:05:00"}},"_links":{"deploymentBase":{"href":"`+me+`/deploymentBase/1?c=4"},"configData":{"href":"`+me+`/configData"}}}`)
	f.Add(200, `{"_links":{"cancelAction":{"href":"//hawkbit.test/DEFAULT/controller/v1/dev1/cancelAction/%2e%2e"}}}`)
	f.Add(429, `{"errorCode":"hawkbit.server.error.quota.tooManyEntries","message":"\n"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 999 {
			return // none that a client would be shown
		}
		a, err := answering(t, status, body).Poll(t.Context())
		if err != nil {
			isOneLine(t, err)
			return
		}
		require.GreaterOrEqual(t, a.Sleep, time.Duration(0))
		for _, l := range []*ddi.Link{a.Deployment, a.Confirmation, a.Cancel} {
			if l != nil {
				require.NotEmpty(t, strings.Trim(l.Action, "."))
				require.NotContains(t, l.Action, "/")
			}
		}
	})
}

// FuzzDeployment: a bundle that is taken is at the server, or at the mirror that is allowed.
func FuzzDeployment(f *testing.F) {
	f.Add(action("a.tope", `{"sha256":"`+strings.Repeat("ab", 32)+`"}`, "5", `{"download-http":{"href":"https://cdn.test/a.tope?t=1"}}`))
	f.Add(action("a.tope", `{}`, "5", `{"download":{"href":"https://hawkbit.test\\@evil.test/a.tope"}}`))
	f.Add(action("b.zip", `{}`, "5", `{"download":{"href":"//evil.test/b.zip"}}`))
	f.Fuzz(func(t *testing.T, body string) {
		d, err := answering(t, 200, body).Deployment(t.Context(), ddi.Link{Action: "1"})
		switch {
		case err != nil:
			isOneLine(t, err)
		case d.Unfit != "":
			require.True(t, printable.IsLine(d.Unfit))
			require.True(t, d.Artifact.URL.Empty())
		default:
			url := d.Artifact.URL.Redacted()
			require.True(t, strings.HasPrefix(url, "https://hawkbit.test/") || strings.HasPrefix(url, "https://cdn.test"), url)
			require.Positive(t, d.Artifact.Size)
		}
	})
}

func isOneLine(t *testing.T, err error) {
	t.Helper()
	var e *ddi.Error
	require.True(t, errors.As(err, &e))
	require.True(t, printable.IsLine(err.Error()), "%q", err)
	require.Less(t, len(err.Error()), 1000)
	require.NotContains(t, err.Error(), token)
}
