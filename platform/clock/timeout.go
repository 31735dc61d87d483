package clock

import (
	"context"
	"time"
)

// WithTimeout is context.WithTimeoutCause on c instead of the runtime's clock:
// once d has passed, the context ends and context.Cause gives cause. The
// CancelFunc must be called, or a goroutine leaks.
func WithTimeout(ctx context.Context, c Clock, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	expired := c.After(d)
	go func() {
		select {
		case <-expired:
			cancel(cause)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
