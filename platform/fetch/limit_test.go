package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
)

// watched notes how many bytes its reader has taken at each time of the clock.
type watched struct {
	io.Reader
	clk  *clocktest.Fake
	when []time.Duration
	got  []int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.when, w.got = append(w.when, w.clk.Monotonic()), append(w.got, n)
	return n, err
}

func (*watched) Close() error { return nil }

// TestBandwidth: over every second that begins with a read, no more than the bandwidth
// and one slice of it comes, and in all it takes as long as it should.
func TestBandwidth(t *testing.T) {
	const rate, total = 100_000, 1_000_000
	clk := clocktest.NewAuto()
	tr := New(Config{Settings: Settings{Bandwidth: rate}, Clock: clk})
	w := &watched{Reader: bytes.NewReader(make([]byte, total)), clk: clk}
	began := clk.Monotonic()
	n, err := io.CopyBuffer(onlyWriter{io.Discard}, tr.Limit(t.Context(), w), make([]byte, 256<<10))
	require.NoError(t, err)
	require.EqualValues(t, total, n)
	took := clk.Monotonic() - began
	require.InDelta(t, float64(total-rate/slices1s)/rate, took.Seconds(), 0.2)
	for i, from := range w.when {
		sum := 0
		for j := i; j < len(w.when) && w.when[j] < from+time.Second; j++ {
			sum += w.got[j]
		}
		require.LessOrEqual(t, sum, rate+rate/slices1s, "from %v on", from)
	}
}

// TestBandwidthIsShared: bodies that are read at the same time have it together.
func TestBandwidthIsShared(t *testing.T) {
	const rate, total = 100_000, 500_000
	clk := clocktest.NewAuto()
	tr := New(Config{Settings: Settings{Bandwidth: rate}, Clock: clk})
	began := clk.Monotonic()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, _ = io.Copy(onlyWriter{io.Discard}, tr.Limit(t.Context(), &watched{Reader: bytes.NewReader(make([]byte, total)), clk: clk}))
		})
	}
	both.Wait()
	// The clock moves on for each of the two that waits: it may be fast, never late.
	require.GreaterOrEqual(t, (clk.Monotonic() - began).Seconds(), float64(2*total-rate)/rate-1)
}

func TestNoLimit(t *testing.T) {
	body := &watched{}
	require.Same(t, body, with(Settings{}).Limit(t.Context(), body))
}

// TestWaitEndsWithItsContext: a cancel is not kept waiting by the bandwidth.
func TestWaitEndsWithItsContext(t *testing.T) {
	clk := clocktest.New() // which stands still
	tr := New(Config{Settings: Settings{Bandwidth: 1000}, Clock: clk})
	cause := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	body := tr.Limit(ctx, &watched{Reader: bytes.NewReader(make([]byte, 1000)), clk: clk})
	ended := make(chan error)
	go func() {
		_, err := io.Copy(onlyWriter{io.Discard}, body)
		ended <- err
	}()
	clk.Await(1)
	cancel(cause)
	require.ErrorIs(t, <-ended, cause)
}

type onlyWriter struct{ io.Writer }
