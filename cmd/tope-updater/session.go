package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
)

// session is what a verb talks to: a daemon through its socket, or the same
// handler in this process.
type session struct {
	*client.Client
	// inProcess is set when no daemon runs and this process does the work.
	inProcess bool
	socket    string
	// tidied waits until the leftovers of a cut are removed, when this process
	// does the work and no update is open.
	tidied func() error
	close  func()
}

// need is what a verb will do.
type need int

const (
	// reads changes nothing: without a daemon the journal is opened read-only.
	reads need = iota
	// changes may begin an update: without a daemon the journal is locked and
	// recovery runs first, as at a daemon's start.
	changes
)

// connect finds the daemon, or does without. The caller must close the session.
func (a *app) connect(ctx context.Context, n need) (*session, error) {
	d, err := a.device()
	if err != nil {
		return nil, err
	}
	socket, err := d.socket()
	if err != nil {
		return nil, err
	}
	c := client.Socket(socket)
	err = awake(ctx, c)
	switch {
	case err == nil:
		return &session{Client: c, socket: socket, close: c.Close}, nil
	case errors.Is(err, client.ErrNoAnswer) && n == changes:
		return nil, fmt.Errorf("%w: it holds the journal, so nothing can be changed until it is restarted: systemctl restart tope-updater", err)
	case !errors.Is(err, client.ErrNoDaemon) && !errors.Is(err, client.ErrNoAnswer):
		return nil, err
	}
	c.Close()
	var s *session
	if n == reads {
		s, err = lookIn(d)
	} else {
		s, err = workIn(ctx, d)
	}
	if s != nil {
		s.socket = socket
	}
	return s, err
}

// awake waits for a daemon that is about to open its journal, and says so.
func awake(ctx context.Context, c *client.Client) error {
	for deadline := time.Now().Add(lockPatience); ; {
		err := c.Alive(ctx)
		if !errors.Is(err, engine.ErrJournal) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(knock):
		}
	}
}

// lookIn is a session for looking, without a daemon.
func lookIn(d *device) (*session, error) {
	p, err := d.parts(false)
	if err != nil {
		return nil, err
	}
	var j readJournal = emptyJournal{}
	r, err := d.openReader()
	switch {
	case err == nil:
		j = r
	case !errors.Is(err, journal.ErrMissing):
		return nil, err
	}
	e, err := p.quietEngine(frozen{j})
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return &session{
		Client: client.InProcess(p.handler(e, j)), inProcess: true,
		close: func() { _ = j.Close() }, // nothing was written
	}, nil
}

// workIn is a session for working, without a daemon: this process is the
// updater until the session is closed.
func workIn(ctx context.Context, d *device) (*session, error) {
	p, err := d.parts(true)
	if err != nil {
		return nil, err
	}
	u, err := p.start(ctx, opening{create: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	h := &front{}
	h.set(u.handler(u.engine, u.journal))
	wg.Go(func() {
		if err := u.engine.Run(ctx); err != nil {
			h.fail(err)
			// Requests that wait for the loop would wait without end.
			cancel()
		}
	})
	return &session{
		Client: client.InProcess(h), inProcess: true,
		tidied: func() error {
			// The loop takes requests once it has tidied; ctx ends with the loop.
			return u.engine.Exclusive(ctx, "tidying", func(context.Context) error { return nil })
		},
		close: func() {
			cancel()
			wg.Wait()
			if err := u.close(); err != nil {
				d.log.Error("cannot close the journal", "err", err)
			}
		},
	}, nil
}

// gone reports whether err means that the daemon went away. It is false when the daemon refused.
func gone(err error) bool {
	var p *httpapi.Problem
	if errors.As(err, &p) {
		// The daemon goes away soon: it stops, or opens its journal again.
		return errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrJournal)
	}
	return true
}
