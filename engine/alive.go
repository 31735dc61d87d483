package engine

import "context"

// Alive returns nil once the loop has answered: the proof of life that a
// watchdog is fed with. A step at work in the worker does not delay it, nor does
// tidying before the loop takes requests.
func (e *Engine) Alive(ctx context.Context) error {
	select {
	case e.pings <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// besides is for what the loop does before it takes requests: it runs f in a
// goroutine, and answers Alive until that has returned.
func (e *Engine) besides(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-e.pings:
		case <-done:
			return
		}
	}
}
