package engine

import "context"

// Alive returns nil once the loop has answered: the proof of life that a
// watchdog is fed with. A step at work in the worker does not delay it.
func (e *Engine) Alive(ctx context.Context) error {
	done := make(chan struct{})
	ping := func(context.Context) error {
		close(done)
		return nil
	}
	select {
	case e.calls <- ping:
		<-done
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
