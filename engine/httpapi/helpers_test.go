package httpapi_test

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name, byte by byte.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// ask sends one request to a handler as a command without a daemon would; edits change
// it before it is sent.
func ask(h http.Handler, method, path, body string, edits ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1:12315"+path, strings.NewReader(body))
	r = r.WithContext(httpapi.Here(r.Context()))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.RemoteAddr = "" // as a client in this process
	for _, edit := range edits {
		edit(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) {
	return func(r *http.Request) { r.Host = name }
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// refusedAs requires problem details of a kind.
func refusedAs(t *testing.T, r *http.Response, status int, kind string) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	body := text(t, r)
	require.Equal(t, status, r.StatusCode, body)
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	require.NoError(t, json.Unmarshal([]byte(body), &p))
	require.Equal(t, httpapi.TypePrefix+kind, p.Type)
	require.Equal(t, status, p.Status)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}
