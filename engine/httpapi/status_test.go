package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi/httpapitest"
)

func statusOf(t *testing.T, r *http.Response) engine.Status {
	t.Helper()
	var s engine.Status
	require.NoError(t, json.Unmarshal([]byte(text(t, r)), &s))
	return s
}

// later runs a request in the background.
func later(d *httpapitest.Device, path string, edits ...func(*http.Request)) <-chan *http.Response {
	h, ch := d.Handler(), make(chan *http.Response, 1)
	go func() { ch <- ask(h, "GET", path, "", edits...) }()
	return ch
}

func TestIdleStatus(t *testing.T) {
	d := httpapitest.New()
	golden(t, "idle.golden", text(t, ask(d.Handler(), "GET", "/api/v2/status", "")))
	d.Open(engine.Downloading, 42)
	golden(t, "downloading.golden", text(t, ask(d.Handler(), "GET", "/api/v2/status", "")))
}

func TestWaitEndsWithAChange(t *testing.T) {
	d := httpapitest.New()
	answer := later(d, "/api/v2/status?wait=7")
	d.Clock.Await(1)
	require.Empty(t, answer)
	d.Open(engine.Requested, 0)
	s := statusOf(t, <-answer)
	require.Equal(t, engine.Requested, s.State)
	require.EqualValues(t, 8, s.Journal.Seq)
}

func TestWaitForWhatHasHappenedEndsAtOnce(t *testing.T) {
	d := httpapitest.New()
	require.EqualValues(t, 7, statusOf(t, ask(d.Handler(), "GET", "/api/v2/status?wait=6", "")).Journal.Seq)
}

func TestWaitEndsWithItsTimeout(t *testing.T) {
	d := httpapitest.New()
	answer := later(d, "/api/v2/status?wait=7&timeout=250ms")
	d.Clock.Await(1)
	d.Clock.Advance(250 * time.Millisecond)
	require.Equal(t, engine.Idle, statusOf(t, <-answer).State)

	answer = later(d, "/api/v2/status?wait=99")
	d.Clock.Await(1)
	d.Clock.Advance(30 * time.Second)
	require.Equal(t, engine.Idle, statusOf(t, <-answer).State)
}

func TestWaitEndsWhenTheClientGoes(t *testing.T) {
	d := httpapitest.New()
	ctx, cancel := context.WithCancel(t.Context())
	answer := later(d, "/api/v2/status?wait=7", func(r *http.Request) { *r = *r.WithContext(ctx) })
	d.Clock.Await(1)
	cancel()
	<-answer
}

func TestWaitsThatMakeNoSense(t *testing.T) {
	h := httpapitest.New().Handler()
	for _, q := range []string{"wait=", "wait=x", "wait=-1", "wait=7&timeout=x", "wait=7&timeout=-1s", "wait=7&timeout=31s", "wait=7&timeout="} {
		refusedAs(t, ask(h, "GET", "/api/v2/status?"+q, ""), 400, "invalid")
	}
	require.Equal(t, 200, ask(h, "GET", "/api/v2/status?pretty", "").StatusCode)
}
