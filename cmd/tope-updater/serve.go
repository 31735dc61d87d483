package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service/embedded"
)

// The daemon is small on purpose: the device's memory belongs to its services.
const (
	memoryLimit = 14 << 20
	gcPercent   = 25
)

// Back-off between attempts to open a journal that failed.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "run the daemon: the APIs and the updates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			debug.SetGCPercent(gcPercent)
			debug.SetMemoryLimit(memoryLimit)
			d, err := a.device()
			if err != nil {
				return err
			}
			d.log = a.term.logger()
			return serve(cmd.Context(), d)
		},
	}
}

// serve runs until ctx ends. The servers stay up while the engine behind them
// is replaced, which happens when the journal fails.
func serve(ctx context.Context, d *device) error {
	front := &front{}
	srv, err := d.listen(front)
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
	for ctx.Err() == nil {
		began := d.clock.Monotonic()
		err = d.run(ctx, front)
		front.set(nil)
		if ctx.Err() != nil || !recoverable(err) {
			break
		}
		if d.clock.Monotonic()-began > longestPause {
			pause = firstPause
		}
		// What the last write came to is unknown: open the journal anew, look,
		// and recover, until that works.
		d.log.Error("the journal failed; opening it again", "err", err, "pause", pause)
		notify(d.log, "STATUS=the journal failed; opening it again")
		_ = clock.Sleep(ctx, d.clock, pause)
		pause = min(2*pause, longestPause)
	}
	notify(d.log, "STOPPING=1")
	cancel(nil)
	return errors.Join(err, <-served)
}

// recoverable reports whether opening everything again can help.
func recoverable(err error) bool {
	return err != nil && !errors.Is(err, errLocked)
}

// run is one life of an engine: open, recover, run. It returns nil when ctx ended.
func (d *device) run(ctx context.Context, front *front) error {
	u, err := d.start(ctx, true)
	if err != nil {
		return err
	}
	front.set(d.handler(u.engine, u.journal))
	if m, ok := u.manager.(*embedded.Manager); ok {
		if err := m.Supervise(ctx, d.services()); err != nil {
			d.log.Error("cannot start all services", "err", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go d.verifyJournal(u)
	go d.watchdog(ctx, u.engine)
	go d.report(ctx, u.engine)
	notify(d.log, "READY=1\nSTATUS=ready")
	err = u.engine.Run(ctx)
	return errors.Join(err, u.close())
}

func (d *device) listen(h http.Handler) (*httpapi.Server, error) {
	socket, err := d.root.Resolve(d.cfg.Paths.Socket())
	if err != nil {
		return nil, fmt.Errorf("cannot find the socket: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w", err)
	}
	o := httpapi.ServerOptions{Handler: h, Socket: socket, Log: d.log}
	if d.cfg.HTTP.Listen != "" {
		o.Listen = []string{d.cfg.HTTP.Listen}
	}
	return httpapi.Listen(o)
}

// verifyJournal checks the whole chain beside the work; recovery has trusted
// the summary, which has a checksum of its own.
func (d *device) verifyJournal(u *updater) {
	report, err := u.journal.Verify()
	switch {
	case err != nil:
		d.log.Warn("cannot verify the journal", "err", err)
	case !report.OK():
		d.log.Error("the journal is damaged", "problems", report.Problems)
	}
}

// front is the handler of the servers: the engine's, or, while there is none,
// one that says so.
type front struct{ next atomic.Pointer[http.Handler] }

func (f *front) set(h http.Handler) {
	if h == nil {
		f.next.Store(nil)
		return
	}
	f.next.Store(&h)
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.next.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	httpapi.Fail(w, fmt.Errorf("%w: the updater is opening it", engine.ErrJournal))
}

func (d *device) report(context.Context, *engine.Engine) {}
