package stepstest

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrStopped is the cause of a context that a test has ended.
var ErrStopped = errors.New("stopped by the test")

// countdown is a context that ends after n calls of Err or Done: a deterministic way
// to stop a step at every place where it can be stopped.
type countdown struct {
	context.Context
	cancel context.CancelCauseFunc
	left   atomic.Int64
}

func stopAfter(n int) *countdown {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &countdown{Context: ctx, cancel: cancel}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) look() {
	if c.left.Add(-1) < 0 {
		c.cancel(ErrStopped)
	}
}

// Done implements context.Context.
func (c *countdown) Done() <-chan struct{} {
	c.look()
	return c.Context.Done()
}

// Err implements context.Context.
func (c *countdown) Err() error {
	c.look()
	return c.Context.Err()
}
