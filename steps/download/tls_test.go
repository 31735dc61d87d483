package download

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

func secure(t *testing.T, h http.Handler, edit func(*tls.Config)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(testWriter{t}, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
	if edit != nil {
		edit(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

type testWriter struct{ t *testing.T }

func (testWriter) Write(p []byte) (int, error) { return len(p), nil }

func trusting(s *httptest.Server) func(*Config) {
	return func(c *Config) {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(s.Certificate())
	}
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
		out, err := do(t, stepFor(newPatient(), trusting(good)), task)
		require.NoError(t, err)
		requireBundle(t, task, b, out)
	})
	t.Run("http to https", func(t *testing.T) {
		task := newTask(t, from(toSecure.URL, b))
		out, err := do(t, stepFor(newPatient(), trusting(good)), task)
		require.NoError(t, err)
		requireBundle(t, task, b, out)
	})
	t.Run("https to http", func(t *testing.T) {
		s := secure(t, http.RedirectHandler(plain.URL, http.StatusFound), nil)
		task := newTask(t, from(s.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(s)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "redirected from https to plain http")
	})
	t.Run("http to https to http", func(t *testing.T) {
		s := secure(t, http.RedirectHandler(plain.URL, http.StatusFound), nil)
		start := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
		t.Cleanup(start.Close)
		task := newTask(t, from(start.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(s)), task, steps.Unavailable, steps.DownloadFailed)
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
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(good)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "cannot trust the server")
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		s := secure(t, content, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 })
		task := newTask(t, from(s.URL, b))
		text := stepstest.Fails(t, stepFor(newPatient(), trusting(s)), task, steps.Unavailable, steps.DownloadFailed)
		require.Contains(t, text, "gave up after 10 unusable answers")
	})
}

// TestWrongTimeIsWaitedOut: on a device that boots without a clock no certificate is
// valid yet. The step waits until the device has the time.
func TestWrongTimeIsWaitedOut(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}})
	var out *outage
	require.ErrorAs(t, classify(t.Context(), err), &out)
	require.Contains(t, out.Error(), "is the device's clock right?")
}
