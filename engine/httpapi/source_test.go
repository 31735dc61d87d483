package httpapi_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source/sourcetest"
)

// The API takes exactly the sources that the Download step can read.
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

// The legacy API takes only sources on web servers.
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

// askedWith is a journal whose only update was requested with a password.
type askedWith struct{ *httpapitest.Journal }

const asked = `{"url":"https://me:` + sourcetest.Secret + `@h/r.tope","newer":1}`

func (askedWith) Updates() ([]journal.Update, error) {
	return []journal.Update{{ID: "u1", Source: json.RawMessage(asked)}}, nil
}

func (askedWith) Records(string) ([]journal.Record, error) {
	return []journal.Record{
		{Seq: 1, Update: "u1", Accept: &journal.Accept{Kind: "install", Source: json.RawMessage(asked)}},
		{Seq: 2, Update: "u1"},
	}, nil
}

// Every program on the device may read the API, and so may every client that is
// let in from the network.
func TestAnswersShowNoPassword(t *testing.T) {
	o := httpapitest.New().Options()
	o.Journal = askedWith{}
	for _, path := range []string{"updates", "updates/u1", "updates/u1/journal", "journal", "journal?format=jsonl"} {
		answer := text(t, ask(httpapi.New(o), "GET", "/api/v2/"+path, ""))
		require.NotContains(t, answer, sourcetest.Secret, path)
		require.Contains(t, answer, `{"newer":1,"url":"https://me:xxxxx@h/r.tope"}`, path)
	}
}

func TestWithoutPasswordsChangesNothingElse(t *testing.T) {
	given := []journal.Record{
		{Accept: &journal.Accept{Source: json.RawMessage(asked)}},
		{Accept: &journal.Accept{Source: json.RawMessage(`{"url": "https://h/r.tope"}`)}},
		{Accept: &journal.Accept{}},
		{},
	}
	shown := httpapi.RecordsWithoutPasswords(given)
	require.JSONEq(t, asked, string(given[0].Accept.Source), "the journal's own stays")
	require.NotContains(t, string(shown[0].Accept.Source), sourcetest.Secret)
	require.Equal(t, given[1:], shown[1:])
}
