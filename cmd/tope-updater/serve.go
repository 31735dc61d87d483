package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// The daemon is small on purpose: the device's memory belongs to its services.
const (
	memoryLimit = 32 << 20
	gcPercent   = 25
)

// spareThreads run Go code beyond one for each processor. Unpacking keeps a
// thread busy on every processor for seconds; without spare ones, requests would
// wait for Go's scheduler to look at the network, up to 10 ms each time. With
// them, the kernel lets the threads that have waited go first.
const spareThreads = 2

var errStarting = errors.New("the updater is starting")

// Back-off between attempts to open a journal that failed.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

func (a *app) serveCommand() *cobra.Command {
	var logFormat string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the daemon: the APIs and the updates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			debug.SetGCPercent(gcPercent)
			debug.SetMemoryLimit(memoryLimit)
			runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
			d, err := a.device()
			if err != nil {
				return err
			}
			if d.log, err = a.term.logger(logFormat); err != nil {
				return err
			}
			outliveLog()
			return serve(cmd.Context(), d)
		},
	}
	logFlag(cmd, &logFormat)
	return cmd
}

// daemon is the long-running program. Its servers outlive the engine behind them,
// which is replaced when the journal fails.
type daemon struct {
	*device
	// doubt is set once the journal has failed under this process.
	doubt bool
}

// serve runs until ctx ends.
func serve(ctx context.Context, dev *device) error {
	d := &daemon{device: dev}
	from, err := receive()
	if err != nil {
		return err
	}
	front := &front{}
	front.fail(errStarting)
	srv, err := d.listen(front, from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	served := make(chan error, 1)
	go func() {
		err := srv.Serve(ctx)
		cancel(err)
		served <- err
	}()
	for _, addr := range srv.Addrs() {
		d.log.Info("listening", "address", addr.String())
	}
	pause := firstPause
	var over *engine.TakeOver
	for ctx.Err() == nil {
		began := d.clock.Monotonic()
		err = d.run(ctx, front)
		if ctx.Err() != nil || errors.Is(err, errLocked) || errors.As(err, &over) {
			break
		}
		if from.trial {
			// A program on trial that cannot work with the journal gives up: the
			// committed one, which systemd starts next, may be able to.
			break
		}
		front.fail(err)
		if d.clock.Monotonic()-began > longestPause {
			pause = firstPause
		}
		// The outcome of the last write is unknown: open the journal anew, verify all
		// of it, and recover, until that works.
		d.doubt = true
		d.log.Error("the journal failed; opening it again", "event", engine.EventJournalFailed, "err", err, "pause", pause)
		// No engine's loop feeds the watchdog meanwhile; this loop is alive.
		notify(d.log, "WATCHDOG=1\nSTATUS=the journal failed; opening it again")
		_ = clock.Sleep(ctx, d.clock, pause)
		pause = min(2*pause, longestPause)
	}
	if over != nil && ctx.Err() == nil {
		d.log.Info("another updater takes over", "path", over.Path, "trial", over.Trial)
		notify(d.log, "WATCHDOG=1\nSTATUS=another updater takes over")
		sockets, err := srv.Hand()
		cancel(nil)
		if err = errors.Join(err, <-served); err != nil {
			return err
		}
		return become(over, sockets)
	}
	notify(d.log, "STOPPING=1\nSTATUS=stopping")
	cancel(nil)
	return errors.Join(err, <-served)
}

// run is one life of an engine: open, recover, run. It returns nil when ctx ended.
func (d *daemon) run(ctx context.Context, front *front) error {
	p, err := d.parts(true)
	if err != nil {
		return err
	}
	p.watched = isWatched()
	u, err := p.start(ctx, opening{create: true, doubt: d.doubt})
	if err != nil {
		return err
	}
	front.set(u.handler(u.engine, u.journal))
	if m, ok := u.manager.(service.Supervisor); ok {
		if err := m.Supervise(ctx, u.services()); err != nil {
			d.log.Error("cannot start all services", "err", err)
		}
	}
	whole := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := d.verifyJournal(ctx, u); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() { watchdog(ctx, d.log, u.engine) })
	beside.Go(func() { d.report(ctx, u.engine) })
	beside.Go(func() { announce(ctx, d.log, u.engine) })
	beside.Go(func() { u.trust.follow(ctx) })
	// The socket is open, and recovery has decided what to do.
	notify(d.log, "READY=1")
	err = u.engine.Run(ctx)
	cancel(nil)
	beside.Wait()
	if whole.Err() == nil && errors.Is(context.Cause(ctx), journal.ErrDamaged) {
		err = errors.Join(err, context.Cause(ctx))
	}
	return errors.Join(err, u.close())
}

func (d *daemon) listen(h http.Handler, from handed) (*httpapi.Server, error) {
	socket, err := d.socket()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w", err)
	}
	o := httpapi.ServerOptions{Handler: h, Socket: socket, Log: d.log}
	if o.Inherited, err = from.listeners(); err != nil {
		return nil, err
	}
	if d.cfg.HTTP.Listen != "" {
		o.Listen = []string{d.cfg.HTTP.Listen}
	}
	return httpapi.Listen(o)
}

// verifyJournal checks the whole chain while the engine works; recovery has
// trusted the summary, which has a checksum of its own. It returns
// journal.ErrDamaged when the journal has to be opened again, with all of it
// verified, to be put aside. It waits with that until the device is idle, because
// history alone is lost, and does it a single time.
func (d *daemon) verifyJournal(ctx context.Context, u *updater) error {
	report, err := u.journal.Verify()
	if err != nil {
		d.log.Warn("cannot verify the journal", "err", err)
		return nil
	}
	if report.OK() {
		return nil
	}
	d.log.Error("the journal is damaged", "event", engine.EventJournalDamaged, "problems", report.Problems)
	if d.doubt {
		return nil
	}
	for {
		changed := u.engine.Changed()
		if !engine.Busy(u.engine.Status().State) {
			return fmt.Errorf("%w: %s", journal.ErrDamaged, report.Problems[0].Text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// front is the handler of the servers: the engine's or, while there is
// no engine, one that says why.
type front struct{ next atomic.Pointer[http.Handler] }

func (f *front) set(h http.Handler) { f.next.Store(&h) }

func (f *front) fail(err error) {
	f.set(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		httpapi.Fail(w, fmt.Errorf("%w: %w", engine.ErrJournal, err))
	}))
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*f.next.Load()).ServeHTTP(w, r) }
