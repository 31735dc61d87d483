package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

const (
	// tick is how long a progress bar may stand still.
	tick = 200 * time.Millisecond
	// patience is how long to wait for a daemon that went away: longer than its
	// restart takes, or the boot of a small device.
	patience = 2 * time.Minute
	// cleaning is how long to wait for a daemon's clean-up.
	cleaning = 3 * time.Second
	// knock is the pause between attempts to reach a daemon that went away.
	knock = 250 * time.Millisecond
)

// follow shows an update until it is over, and returns how it ended as an error,
// or nil when it was committed. When the daemon dies meanwhile, follow waits: the
// update goes on when the daemon comes back.
func (a *app) follow(ctx context.Context, s *session, id string) (engine.UpdateStatus, error) {
	p := newProgress(a.term)
	defer p.close()
	var seen uint64
	var end time.Time
	for {
		st, err := a.next(ctx, s, p, seen)
		if err != nil {
			return engine.UpdateStatus{}, err
		}
		u, over := find(st, id)
		if u == nil {
			return engine.UpdateStatus{}, fmt.Errorf("update %s is over, and another one has followed; \"tope-updater journal show %s\" tells how it ended", id, id)
		}
		if st.Journal.Seq != seen {
			a.showNew(ctx, s, p, id)
			seen = st.Journal.Seq
		}
		p.show(*u)
		if !engine.Terminal(u.State) {
			continue
		}
		// Without a daemon, this process does the clean-up that follows the end. A
		// daemon's clean-up gets a moment, so that the next command finds the device idle.
		if end.IsZero() {
			end = time.Now()
		}
		if over || !s.inProcess && time.Since(end) > cleaning {
			p.end(*u)
			return *u, ended(*u)
		}
	}
}

// next waits for news, also when the daemon dies meanwhile.
func (a *app) next(ctx context.Context, s *session, p *progress, seen uint64) (httpapi.Status, error) {
	st, err := s.Next(ctx, seen, tick)
	if err == nil || ctx.Err() != nil || s.inProcess || !gone(err) {
		return st, errors.Join(err, context.Cause(ctx))
	}
	// When the daemon is only being replaced by another program, the next request
	// waits for that program to start.
	if awake(ctx, s.Client) == nil {
		if st, err := s.Status(ctx); err == nil {
			return st, nil
		}
	}
	p.aside("the updater does not answer any more; waiting for it, the update goes on when it is back")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return st, context.Cause(ctx)
		case <-time.After(knock):
		}
		if st, err = s.Status(ctx); err == nil {
			p.aside("the updater is back")
			return st, nil
		}
	}
	return st, fmt.Errorf("the updater did not come back within %s: %w; the update goes on when it does", patience, err)
}

// find looks for an update in a status; over is set when its clean-up is done.
func find(st httpapi.Status, id string) (u *engine.UpdateStatus, over bool) {
	switch {
	case st.Update != nil && st.Update.ID == id:
		return st.Update, false
	case st.Last != nil && st.Last.ID == id:
		return st.Last, true
	}
	return nil, false
}

// showNew prints the part of the journal that has not been shown yet. A poll may
// miss a state that lasts a millisecond; the journal has every state.
func (a *app) showNew(ctx context.Context, s *session, p *progress, id string) {
	records, err := s.Records(ctx, id)
	if err != nil {
		return // the next round tells more
	}
	for _, c := range timeline.Build(records).Chapters {
		p.tell(c)
	}
}
