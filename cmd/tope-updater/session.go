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
	"github.com/tope/updater/platform/service"
)

// session is what a verb talks to: a daemon through its socket, or the same
// handler in this process.
type session struct {
	*client.Client
	// inProcess is set when no daemon runs and this process does the work.
	inProcess bool
	// rests: the device does not run, and no program of it was started.
	rests  bool
	socket string
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
	// begins may begin an update: without a daemon the journal is locked and
	// recovery runs first, as at a daemon's start.
	begins
	// tends changes something between updates.
	tends
	// cancels ends the open update.
	cancels
	// finishes goes on with the open update, if there is one.
	finishes
)

// refused returns why an updater that has not recovered yet cannot do what a verb
// needs; nil when it can. A verb that is refused here has changed nothing and has
// cost the open update nothing: only "recover --finish" and a daemon go on with it.
func (n need) refused(e *engine.Engine) error {
	u := e.Status().Update
	open := u != nil && !engine.Terminal(u.State)
	switch {
	case n == finishes:
		return nil
	case n == cancels && !open:
		return fmt.Errorf("%w: no update is in progress", engine.ErrNotFound)
	case n == cancels && engine.Switched(u.State):
		return unattended(fmt.Errorf("%w: update %s is in %s", engine.ErrTooLate, u.ID, u.State))
	case n == cancels:
		return nil
	case n == tends && open && u.State == engine.Ready && u.Hold:
		return fmt.Errorf("%w; \"tope-updater cancel\" gives it up", &engine.BusyError{Update: u.ID, State: u.State})
	}
	if err := e.Unfinished(); err != nil {
		return unattended(err)
	}
	return nil
}

// unattended tells who goes on with an update on which no daemon works.
func unattended(err error) error {
	return fmt.Errorf("%w, and no daemon works on it; \"tope-updater recover --finish\" goes on with it, and so does the daemon when it starts", err)
}

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
	case errors.Is(err, client.ErrNoAnswer) && n != reads:
		return nil, fmt.Errorf("%w: it holds the journal, so nothing can be changed until it is restarted: systemctl restart tope-updater", err)
	case !errors.Is(err, client.ErrNoDaemon) && !errors.Is(err, client.ErrNoAnswer):
		return nil, err
	}
	c.Close()
	var s *session
	if n == reads {
		s, err = lookIn(d)
	} else {
		s, err = a.workIn(ctx, d, n)
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
	if err == nil {
		err = p.manage()
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return &session{
		Client: client.InProcess(p.handler(e, j)), inProcess: true,
		close: func() { _ = errors.Join(j.Close(), p.close()) }, // nothing was written, and the manager was only asked
	}, nil
}

// workIn is a session for working, without a daemon: this process is the
// updater until the session is closed. It does not start as the updater when the
// verb would be refused.
//
// An updater ends in order, so that services which it has stopped run again (engine:
// leaveInOrder). Here that is also when the terminal goes away, and a reader of the
// output who goes away does not end it at all.
func (a *app) workIn(ctx context.Context, d *device, n need) (*session, error) {
	p, err := d.parts(true)
	if err != nil {
		return nil, err
	}
	outliveReaders()
	stop := a.endWithTerminal()
	u, err := p.start(ctx, opening{create: true, admit: n.refused})
	if err != nil {
		stop()
		return nil, err
	}
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	h := &front{}
	h.set(u.handler(u.engine, u.journal), u.engine.Status)
	wg.Go(func() {
		if err := u.engine.Run(ctx); err != nil {
			h.fail(err)
			// Requests that wait for the loop would wait without end.
			cancel()
		}
	})
	return &session{
		Client: client.InProcess(h), inProcess: true, rests: service.Rests(p.manager),
		tidied: func() error {
			// The loop takes requests once it has tidied; ctx ends with the loop.
			return u.engine.Exclusive(ctx, "tidying", func(context.Context) error { return nil })
		},
		close: func() {
			if whole.Err() != nil {
				a.term.interrupted(u.engine.Status())
			}
			cancel()
			wg.Wait()
			stop()
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
