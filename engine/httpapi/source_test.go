package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source/sourcetest"
	"github.com/tope/updater/platform/token"
)

// The API takes exactly the sources that the Download step can read.
func TestInstallTakesWhatCanBeDownloaded(t *testing.T) {
	g := newGuarded(t, httpapi.LegacyOpen)
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
			over := g.ask(httpapi.Loopback, example{"POST", "/api/v2/install", string(body), "/api/v2/install"}, g.texts[token.Install])
			if c.Web {
				require.Equal(t, 202, over.status, over.body)
				return
			}
			require.Equal(t, 403, over.status, "over TCP no file of this device")
			require.Contains(t, over.body, httpapi.TypePrefix+"foreign-peer")
			require.Empty(t, over.calls)
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

func TestALongURLIsRefused(t *testing.T) {
	url := "https://h/" + strings.Repeat("a", engine.MaxURL)
	d := httpapitest.New()
	p := refusedAs(t, ask(d.Handler(), "POST", "/api/v2/install", `{"url":"`+url+`"}`), 400, "invalid")
	require.Contains(t, p.Detail, "more than the 4096")
	r := ask(d.Handler(), "POST", download, strings.Replace(wanted, "http", url+"?", 1))
	require.Equal(t, 400, r.StatusCode)
	require.Contains(t, text(t, r), "more than the 4096")
	require.Empty(t, d.Calls())
}

// askedWith is a journal of version 0.9, whose only update was requested with secrets.
type askedWith struct{ *httpapitest.Journal }

const asked = `{"url":"https://me:` + sourcetest.Secret + `@h/r.tope?t=` + sourcetest.Secret + `#` + sourcetest.Secret + `","newer":1}`

// told is what version 0.9 has written of that URL.
const told = "https://me:xxxxx@h/r.tope?t=" + sourcetest.Secret

func failed() *journal.Failure {
	return &journal.Failure{Code: "DOWNLOAD_FAILED", Text: "cannot download " + told + ": timeout", Details: "redirected to \"" + told + "\""}
}

func (askedWith) Updates() ([]journal.Update, error) {
	return []journal.Update{{
		ID: "u1", Source: json.RawMessage(asked), Error: failed(), Cause: failed(),
		Found: map[journal.Step]json.RawMessage{"Download": json.RawMessage(`{"url":"` + told + `"}`)},
	}}, nil
}

func (askedWith) Page(_ string, after uint64, _ int) ([]journal.Record, error) {
	if after > 0 {
		return nil, nil
	}
	return []journal.Record{
		{Seq: 1, Update: "u1", Accept: &journal.Accept{Kind: "install", Source: json.RawMessage(asked)}},
		{Seq: 2, Update: "u1", Why: told, Error: failed(), Evidence: json.RawMessage(`{"url":"` + told + `"}`)},
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
		require.Contains(t, answer, `{"newer":1,"url":"https://h/r.tope?t=…"}`, path)
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
