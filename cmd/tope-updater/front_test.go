package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

func asked(h http.Handler, method, path string) (int, string) {
	r := httptest.NewRequest(method, "http://localhost"+path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// While there is no engine, old clients are told what they were told last: an update
// never looks over that may go on.
func TestFrontWithoutAnEngine(t *testing.T) {
	updating := engine.Status{State: engine.CheckingHealth, Update: &engine.UpdateStatus{
		Kind: engine.Install, From: "1.0.0", To: "1.1.0", State: engine.CheckingHealth, Progress: 50,
	}}
	idle := engine.Status{State: engine.Idle, Last: &engine.UpdateStatus{State: engine.Committed, SinceEnd: time.Hour}}
	for name, c := range map[string]struct {
		st    engine.Status
		known bool
		says  string
	}{
		"in mid-update":    {updating, true, `{"code":200,"msg":"success","data":{"stage":"rebooting","progress":67,"message":"Verifying deployment...","error":null}`},
		"idle":             {idle, true, `{"code":200,"msg":"success","data":{"stage":"idle","progress":0,"message":"The updater is starting...","error":null}`},
		"nobody remembers": {engine.Status{}, false, `{"code":200,"msg":"success","data":{"stage":"rebooting","progress":0,"message":"The updater is starting...","error":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &front{recall: func() (engine.Status, bool) { return c.st, c.known }}
			f.fail(errStarting)
			code, body := asked(f, "GET", "/api/v1.0/progress")
			require.Equal(t, 200, code)
			require.Contains(t, body, c.says)
		})
	}
}

// The journal has failed, and is opened again: the engine that has ended still knows.
func TestFrontWhileTheJournalIsOpenedAgain(t *testing.T) {
	f := &front{}
	f.fail(errStarting)
	f.set(http.NotFoundHandler(), func() engine.Status {
		return engine.Status{State: engine.Staging, Update: &engine.UpdateStatus{Kind: engine.Install, To: "1.1.0", State: engine.Staging}}
	})
	f.fail(errors.New("input/output error"))
	code, body := asked(f, "GET", "/api/v1.0/progress")
	require.Equal(t, 200, code)
	require.Contains(t, body, `"stage":"installing","progress":50,"message":"Installing version 1.1.0..."`)
	code, body = asked(f, "POST", "/api/v1.0/download")
	require.Equal(t, 200, code)
	require.Equal(t, `{"code":500,"msg":"INTERNAL_ERROR: input/output error; try again in a moment"}`, body)
	code, body = asked(f, "GET", "/api/v2/status")
	require.Equal(t, 503, code)
	require.Contains(t, body, "input/output error")
	r := httptest.NewRequest(http.MethodGet, "http://evil.example/api/v1.0/progress", nil)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Equal(t, 403, w.Code, "a page of another site learns nothing meanwhile")
}

// An engine that comes in time answers the requests that waited for it.
func TestFrontWaitsForTheEngine(t *testing.T) {
	f := &front{}
	f.fail(errStarting)
	answers := make(chan string)
	for range 2 {
		go func() { _, body := asked(f, "GET", "/api/v1.0/progress"); answers <- body }()
	}
	f.set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the engine's")) }), nil)
	for range 2 {
		require.Equal(t, "the engine's", <-answers)
	}
}

// A torn or missing memory tells nothing, and an older, longer text does not show through.
func TestMemory(t *testing.T) {
	m := &memory{path: t.TempDir() + "/shown.json"}
	_, ok := m.Recall()
	require.False(t, ok)
	u := &engine.UpdateStatus{ID: "u1", State: engine.Downloading, Progress: 46, Note: strings.Repeat("long ", 50)}
	m.Keep(engine.Shown{Boot: "b", Open: true, Update: u, Reached: map[engine.State]int{engine.Verifying: 100}})
	u.Note, u.Progress = "", 47
	m.Keep(engine.Shown{Boot: "b", Open: true, Update: u})
	s, ok := m.Recall()
	require.True(t, ok)
	require.Equal(t, 47, s.Status().Update.Progress)
	require.NoError(t, m.write([]byte(`{"boot":"`)))
	require.NoError(t, m.write([]byte("\x00\x00\x00")))
	_, ok = m.Recall()
	require.False(t, ok)
}
