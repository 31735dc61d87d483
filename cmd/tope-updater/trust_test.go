package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
)

// TestStatusFollowsTheKeys: a daemon's status says whom the device trusts now,
// not whom it trusted at the daemon's start; and the log tells of the change.
func TestStatusFollowsTheKeys(t *testing.T) {
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	var log lockedBuffer
	clk := clocktest.New()
	d := &device{cfg: config.Default(), root: root, clock: clk, log: slog.New(slog.NewTextHandler(&log, nil))}
	watch := (&parts{device: d}).watchTrust()
	says := watch.line
	require.Contains(t, says(), "ANYBODY")

	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { watch.follow(ctx) })
	defer following.Wait()
	defer cancel()
	keys := filepath.Join(root.Dir(), "etc/tope-updater/keys")
	require.NoError(t, os.MkdirAll(keys, 0o755))
	public, _, err := minisign.GenerateKey(rand.Reader)
	require.NoError(t, err)
	text, err := public.MarshalText()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(keys, "k.pub"), append(text, '\n'), 0o600))
	require.Contains(t, says(), "ANYBODY", "nobody has looked yet, and no disk is read to answer")
	require.Eventually(t, func() bool {
		clk.Advance(trustPause)
		return strings.HasPrefix(says(), "1 key ")
	}, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "this device trusts 1 key ") }, 10*time.Second, time.Millisecond)
}

// lockedBuffer is a buffer for a logger in another goroutine.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
