package fetch

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
)

// slices of a second: so often a limited body is read at most.
const slices1s = 10

// bandwidth is a leaky bucket (the virtual scheduling of ITU-T I.371), measured by a clock.
type bandwidth struct {
	clk   clock.Clock
	rate  Rate
	burst int

	mu sync.Mutex
	// paid is the instant at which all bytes so far are paid for.
	paid time.Duration
}

// newBandwidth returns nil for no limit.
func newBandwidth(clk clock.Clock, r Rate) *bandwidth {
	if r <= 0 {
		return nil
	}
	return &bandwidth{clk: clk, rate: r, burst: int(max(1, r/slices1s))}
}

// spend takes n bytes, burst at most, and returns how long to wait for them. What was
// not used before is lost, but for one burst.
func (b *bandwidth) spend(n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clk.Monotonic()
	b.paid = max(b.paid, now-b.time(b.burst)) + b.time(n)
	return max(0, b.paid-now)
}

func (b *bandwidth) time(n int) time.Duration {
	return time.Duration(float64(n) / float64(b.rate) * float64(time.Second))
}

// Limit returns a body that brings no more than the bandwidth of this Transport, which
// all of its bodies share. It is smooth: what is read at once is a tenth of a second's
// bytes at most. Each Read first waits until the bytes of the one before are paid for,
// or until ctx ends, and then reads the body. A body that measures how long its server
// makes it wait belongs below Limit, so that it does not take this wait for the server's.
func (t *Transport) Limit(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	if t.limit == nil {
		return body
	}
	return &limited{ReadCloser: body, ctx: ctx, by: t.limit}
}

// limited is a body with a limit.
type limited struct {
	io.ReadCloser
	ctx context.Context // a Read has none of its own
	by  *bandwidth
	owe time.Duration
}

func (l *limited) Read(p []byte) (int, error) {
	if l.owe > 0 {
		if err := clock.Sleep(l.ctx, l.by.clk, l.owe); err != nil {
			return 0, err
		}
		l.owe = 0
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.by.burst)])
	if n > 0 {
		l.owe = l.by.spend(n)
	}
	return n, err
}
