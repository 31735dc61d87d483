package download

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

func secure(t *testing.T, h http.Handler, edit func(*tls.Config)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quietLog()
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
	if edit != nil {
		edit(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// quietLog is for servers whose connections fail.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

func trusting(t *testing.T, s *httptest.Server) func(*Config) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return func(c *Config) { c.Web = reach(c.Clock.(*patient), fetch.Settings{CAFile: file}) }
}

func TestTLS(t *testing.T) {
	b := bundleOf(300_000, 1)
	content := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "r.zip", time.Time{}, bytes.NewReader(b))
	})
	plain := httptest.NewServer(content)
	t.Cleanup(plain.Close)
	good := secure(t, content, nil)
	toSecure := httptest.NewServer(http.RedirectHandler(good.URL, http.StatusFound))
	t.Cleanup(toSecure.Close)

	t.Run("https", func(t *testing.T) {
		task := newTask(t, from(good.URL, b))
		out, err := do(t, stepFor(newPatient(), trusting(t, good)), task)
		require.NoError(t, err)
		requireBundle(t, task, b, out)
	})
	t.Run("http to https", func(t *testing.T) {
		task := newTask(t, from(toSecure.URL, b))
		out, err := do(t, stepFor(newPatient(), trusting(t, good)), task)
		require.NoError(t, err)
		requireBundle(t, task, b, out)
	})
	t.Run("https to http", func(t *testing.T) {
		s := secure(t, http.RedirectHandler(plain.URL, http.StatusFound), nil)
		task := newTask(t, from(s.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(t, s)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "redirected from https to plain http")
	})
	t.Run("http to https to http", func(t *testing.T) {
		s := secure(t, http.RedirectHandler(plain.URL, http.StatusFound), nil)
		start := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
		t.Cleanup(start.Close)
		task := newTask(t, from(start.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(t, s)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "redirected from https to plain http")
	})
	t.Run("a certificate of nobody", func(t *testing.T) {
		task := newTask(t, from(good.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient()), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "cannot trust the server")
	})
	t.Run("a certificate of somebody else", func(t *testing.T) {
		elsewhere := "https://localhost:" + good.URL[len("https://127.0.0.1:"):]
		task := newTask(t, from(elsewhere, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(t, good)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "cannot trust the server")
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		s := secure(t, content, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 })
		task := newTask(t, from(s.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(t, s)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "gave up after 10 unusable answers")
	})
}
