package ddi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
)

func TestPoll(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, ddi.Answer{Sleep: 30 * time.Second, Attributes: true}, w.poll())
	require.Equal(t, ddi.Answer{Sleep: 30 * time.Second, Attributes: true, Unchanged: true}, w.poll(), "a 304 says nothing: it is as it was")
	require.NoError(t, w.client.PutAttributes(w.ctx(), map[string]string{"version": "1.0.0"}))
	require.Equal(t, ddi.Answer{Sleep: 30 * time.Second}, w.poll())

	w.server.Assign("dev1", 1, dditest.Forced)
	a := w.poll()
	require.Equal(t, "1", a.Deployment.Action)
	require.False(t, a.Unchanged)
	require.Equal(t, a.Deployment, w.poll().Deployment)
	require.True(t, w.server.Cancel("1"))
	a = w.poll()
	require.Nil(t, a.Deployment)
	require.Equal(t, "1", a.Cancel.Action)
	require.NoError(t, w.client.Cancelled(w.ctx(), "1"))
	w.server.Switch(func(s *dditest.Switches) { s.Confirmation = true })
	w.server.Assign("dev1", 1, dditest.Forced)
	a = w.poll()
	require.Equal(t, "2", a.Confirmation.Action)
	require.Nil(t, a.Deployment)
}

// TestSleep: what the server does not say, or says in another way, is as it was.
func TestSleep(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		said string
		is   time.Duration
	}{
		{"", 0},
		{"00:05:00", 5 * time.Minute},
		{"48:00:01", 48*time.Hour + time.Second},
		{"00:00:00", 48*time.Hour + time.Second},
		{"5m", 48*time.Hour + time.Second},
		{"00:61:00", 48*time.Hour + time.Second},
		{"-1:00:00", 48*time.Hour + time.Second},
		{"00:00:10", 10 * time.Second},
	} {
		w.trouble(dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `{"config":{"polling":{"sleep":"` + c.said + `"}}}`})
		require.Equal(t, c.is, w.poll().Sleep, c.said)
	}
}

func jsonHeader() map[string]string { return map[string]string{"Content-Type": "application/json"} }

// TestAnswersOfAnotherKind are outages, and nothing of them stays.
func TestAnswersOfAnotherKind(t *testing.T) {
	for name, c := range map[string]struct {
		trouble dditest.Trouble
		says    string
	}{
		"a login page":        {dditest.Trouble{Status: 200, Header: map[string]string{"Content-Type": "text/html"}, Body: "<html>"}, "something in between"},
		"no media type":       {dditest.Trouble{Status: 200, Body: "{}"}, "something in between"},
		"a redirect":          {dditest.Trouble{Status: 302, Header: map[string]string{"Location": "https://login.test/?t=s3cr3t"}}, "is not followed"},
		"a broken redirect":   {dditest.Trouble{Status: 302, Header: map[string]string{"Location": "https://login.test/%zz?t=s3cr3t"}}, "is not followed"},
		"a 304 nobody wanted": {dditest.Trouble{Status: 304}, "304"},
		"nothing":             {dditest.Trouble{Status: 200}, "not the resource of a device"},
		"null":                {dditest.Trouble{Status: 200, Header: jsonHeader(), Body: "null"}, "not the resource of a device"},
		"half of it":          {dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `{"config":`}, "something in between"},
		"another type":        {dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `{"config":[]}`}, "not the resource of a device"},
		"too long":            {dditest.Trouble{Status: 200, Header: jsonHeader(), Body: `"` + strings.Repeat("x", 1<<20) + `"`}, "has more than 1048576 bytes"},
		"a proxy's 404":       {dditest.Trouble{Status: 404, Header: map[string]string{"Content-Type": "text/html"}, Body: "<h1>Not Found</h1>"}, "something in between"},
		"a busy server":       {dditest.Trouble{Status: 503}, "503 Service Unavailable"},
		"nobody":              {dditest.Trouble{Unheard: true}, "unexpected EOF"},
		"an unknown number":   {dditest.Trouble{Status: 599}, "599"},
	} {
		w := newWorld(t)
		w.trouble(c.trouble)
		_, err := w.client.Poll(w.ctx())
		e := fails(t, err, ddi.Outage)
		require.Contains(t, e.Error(), c.says, name)
		require.Contains(t, e.Error(), me, name)
		require.Equal(t, ddi.Later, ddi.Judge(err))
		w.server.Switch(func(s *dditest.Switches) { s.Trouble = nil })
		require.False(t, w.poll().Unchanged, "%s: the next question is for all of it", name)
	}
}

// TestAServerThatKnowsNoSuchDevice may have another tenant.
func TestAServerThatKnowsNoSuchDevice(t *testing.T) {
	w := newWorld(t)
	w.trouble(dditest.Trouble{Status: 404, Header: jsonHeader(), Body: "{}"})
	_, err := w.client.Poll(w.ctx())
	require.ErrorContains(t, fails(t, err, ddi.Unknown), "answered 404 Not Found: is the tenant right")
}

// TestAnAnswerThatIsNotUnderstoodIsAskedForAgain, and not taken for the last one.
func TestAnAnswerThatIsNotUnderstoodIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.server.Switch(func(s *dditest.Switches) { s.Links = "https://other.test" })
	for range 2 {
		_, err := w.client.Poll(w.ctx())
		fails(t, err, ddi.Elsewhere)
	}
	w.server.Switch(func(s *dditest.Switches) { s.Links = host })
	require.False(t, w.poll().Unchanged)
}

// TestTheServerTakesItsTime: no longer than it may.
func TestTheServerTakesItsTime(t *testing.T) {
	w := newWorld(t)
	c := w.newClient(func(cfg *ddi.Config) {
		cfg.Web = roundTripper(func(r *http.Request) (*http.Response, error) {
			w.clk.Advance(time.Minute)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
	})
	_, err := c.Poll(w.ctx())
	require.Contains(t, fails(t, err, ddi.Outage).Error(), me+": no answer within 1m0s")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfter(t *testing.T) {
	w := newWorld(t)
	for said, is := range map[string]time.Duration{
		"17":                            17 * time.Second,
		"":                              0,
		"-1":                            0,
		"soon":                          0,
		"99999999":                      24 * time.Hour,
		"99999999999999999999":          0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2025 03:05:05 GMT": 0,
		"Fri, 02 Jan 2099 03:05:05 GMT": 24 * time.Hour,
	} {
		w.trouble(dditest.Busy(said))
		_, err := w.client.Poll(w.ctx())
		require.Equal(t, is, fails(t, err, ddi.Outage).Wait, said)
	}
}
