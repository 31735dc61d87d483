package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// looking notes what a step is handed.
type looking struct {
	steps.Step
	mu   sync.Mutex
	seen []*steps.Handed
}

func (s *looking) Probe(ctx context.Context, t *steps.Task) (steps.Reach, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, t.Handed)
	return s.Step.Probe(ctx, t)
}

// A file that was handed over goes to the Download step, and is closed when that is done.
// The journal has its identity, for a process that does not have it open.
func TestAHandedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, []byte("b"), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	d := enginetest.NewDevice()
	var eye *looking
	r := d.Up(t, func(c *engine.Config) {
		eye = &looking{Step: c.Steps[steps.Download]}
		c.Steps[steps.Download] = eye
	})
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New(path)}, Handed: &steps.Handed{File: f, ID: "x"}, Hold: true})
	require.NoError(t, err)
	r.Until(engine.Ready)
	require.Len(t, eye.seen, 1)
	require.Same(t, f, eye.seen[0].File)
	require.JSONEq(t, `{"url":"`+path+`","handed":{"id":"x"}}`, string(d.J.State().Open.Source))
	isClosed(t, f)
}

// isClosed waits until somebody has closed a file.
func isClosed(t *testing.T, f *os.File) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := f.Stat(); return errors.Is(err, os.ErrClosed) }, 10*time.Second, time.Millisecond)
}

// Install closes the file of a request that is refused.
func TestAHandedFileOfARefusedRequest(t *testing.T) {
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	r := enginetest.NewDevice().Up(t)
	_, err = r.Install(t.Context(), engine.InstallRequest{Source: steps.Source{URL: source.New("nonsense")}, Handed: &steps.Handed{File: f}})
	require.ErrorIs(t, err, engine.ErrInvalid)
	isClosed(t, f)
}
