package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// forgetful notes whether anything was let go of.
type forgetful struct {
	Engine
	why string
}

func (f *forgetful) Status() engine.Status { return engine.Status{} }

func (f *forgetful) ForgetTrust(_ context.Context, why string) (string, int64, error) {
	f.why = why
	return "signed release 1.0.0", 2, nil
}

// TestOnlyRootForgets: neither TCP nor a member of the socket's group lets go of the
// signed releases.
func TestOnlyRootForgets(t *testing.T) {
	for _, door := range Doors() {
		e := &forgetful{}
		r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v2/trust/forget", strings.NewReader(`{"why":"sold"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		New(Options{Engine: e}).ServeHTTP(w, r.WithContext(withDoor(r.Context(), door)))
		if door == SocketOwner || door == InProcess {
			require.Equal(t, http.StatusAccepted, w.Code, w.Body.String())
			require.Equal(t, "forgotten: sold", e.why)
			continue
		}
		require.Equal(t, http.StatusForbidden, w.Code, door)
		require.Contains(t, w.Body.String(), "only root may do that")
		require.Empty(t, e.why)
	}
}

func TestForgettingNeedsAReason(t *testing.T) {
	for _, body := range []string{`{}`, `{"why":""}`, `{"why":"a\nb"}`, `{"why":"` + strings.Repeat("x", 201) + `"}`, `{"why":"x","more":1}`} {
		e := &forgetful{}
		r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v2/trust/forget", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		New(Options{Engine: e}).ServeHTTP(w, r.WithContext(Here(r.Context())))
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Empty(t, e.why)
	}
}
