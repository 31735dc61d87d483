package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine/legacy"
)

// TestAFreshLinkGoesOn has a link expire in the middle of a download. An old client is
// told so in the message, and asks again with a fresh link of another server: that one is
// asked for what is missing, and for nothing more.
func TestAFreshLinkGoesOn(t *testing.T) {
	programs := builttest.Services(t)
	root := t.TempDir()
	d, err := programs.Device(t.Context(), filepath.Join(root, "device"), fixtures.Release{Version: "1.0.0"}, patientGate())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	p, err := programs.Package(root, fixtures.Release{Version: "1.1.0"})
	require.NoError(t, err)
	content, err := os.ReadFile(p.Path)
	require.NoError(t, err)
	half := len(content) / 2

	var once sync.Once
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() {
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			_, _ = w.Write(content[:half])
			panic(http.ErrAbortHandler) // cuts the connection
		})
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(old.Close)
	var mu sync.Mutex
	var asked []string
	fresh := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Header.Get("Range"))
		mu.Unlock()
		http.ServeFile(w, r, p.Path)
	}))
	t.Cleanup(fresh.Close)

	w := newWindow(t, d.Ports.Updater)
	startDaemon(t, d)
	w.until(0, stageIs(legacy.Idle))
	begin := w.seen()
	require.Equal(t, legacy.Accepted, w.download(p, old.URL))
	w.until(begin, func(v legacy.View) bool {
		return v.Stage == legacy.Downloading && strings.Contains(v.Message, "the server refused (4xx); the link has expired, or was good for one request: install with a fresh one")
	})
	require.Equal(t, legacy.Accepted, w.download(p, fresh.URL))
	// The old link's update may be seen until it gives way: its progress is another one's.
	require.Eventually(t, func() bool { return w.now().Stage == legacy.ToInstall }, 30*time.Second, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, asked, 1)
	from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(asked[0], "bytes="), "-"))
	require.NoError(t, err, "asked for %q", asked[0])
	require.Greater(t, from, half/2, "most of what the old link gave was fetched again")
	require.LessOrEqual(t, from, half)
}
