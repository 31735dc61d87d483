package download

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tope/updater/platform/clock"
)

// pace measures how long the step has waited for the server, and reports when the wait
// is too long. Only waiting counts: time that the disk takes between two reads does not,
// nor does the wait for the bandwidth of package fetch, which lies between two reads, too.
type pace struct {
	clk    clock.Clock
	limits Limits

	mu      sync.Mutex
	waiting phase
	since   time.Duration // when the wait began

	// The window over which the speed is judged. Windows follow each other, and
	// each has SlowTime of waiting.
	waited time.Duration
	got    int64
}

type phase int

const (
	forNothing phase = iota
	forAnswer
	forBytes
)

// tick is how often the limits are looked at while a connection is open.
const tick = time.Second

// begin starts a wait.
func (p *pace) begin(what phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting, p.since = what, p.clk.Monotonic()
}

// end ends the wait, which has brought n bytes.
func (p *pace) end(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == forBytes {
		p.waited += p.clk.Monotonic() - p.since
		p.got += int64(n)
		if p.waited >= p.limits.SlowTime && !p.slow() {
			p.waited, p.got = 0, 0
		}
	}
	p.waiting = forNothing
}

func (p *pace) slow() bool {
	return p.got < p.limits.SlowBytes*int64(p.limits.SlowTime/time.Second)
}

// judge returns an *outage when a limit is exceeded at this moment.
func (p *pace) judge() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var now time.Duration // how long this wait has been going on
	if p.waiting != forNothing {
		now = p.clk.Monotonic() - p.since
	}
	switch {
	case p.waiting == forAnswer && now >= p.limits.Answer:
		return &outage{what: noAnswer, err: fmt.Errorf("no answer within %v", p.limits.Answer)}
	case p.waiting == forBytes && now >= p.limits.Idle:
		return &outage{what: wentQuiet, err: fmt.Errorf("not a byte for %v", p.limits.Idle)}
	case p.waited+now >= p.limits.SlowTime && p.waiting != forAnswer && p.slow():
		return &outage{what: tooSlow, err: fmt.Errorf("%d bytes in %v, fewer than %d a second",
			p.got, p.limits.SlowTime, p.limits.SlowBytes)}
	}
	return nil
}

// watch returns a context that ends as soon as a limit is exceeded, with the *outage
// as its cause. The CancelFunc must be called.
func (p *pace) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for clock.Sleep(ctx, p.clk, tick) == nil {
			if err := p.judge(); err != nil {
				cancel(err)
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
