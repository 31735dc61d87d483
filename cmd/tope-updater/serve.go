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
		RunE: func(cmd *cobra.Command, _ []string) error {
			debug.SetGCPercent(gcPercent)
			debug.SetMemoryLimit(memoryLimit)
			runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
			d, err := a.device()
			if err != nil {
				return err
			}
			if d.rests() {
				return usagef("the device %s does not run, so it has no daemon: its services are systemd's; set [services] manager for one that runs in a directory", d.root.Dir())
			}
			if d.log, err = a.term.logger(logFormat); err != nil {
				return err
			}
			outliveReaders()
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
	// lan tells of the network's door; nil where there is none.
	lan func() httpapi.LANStatus
	// lanUnbound is why its address could not be bound.
	lanUnbound error
	reloader
}

// serve runs until ctx ends.
func serve(ctx context.Context, dev *device) error {
	d := &daemon{device: dev}
	from, err := receive()
	if err != nil {
		return err
	}
	front := &front{hosts: d.cfg.HTTP.Hosts, recall: d.recalled}
	front.fail(errStarting)
	d.tellDenied()
	srv, err := d.listen(front, from)
	if err != nil {
		return d.unlessDenied(err)
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
	go d.onHangup(ctx, dev)
	pause := firstPause
	var over *engine.TakeOver
	for ctx.Err() == nil {
		began := d.clock.Monotonic()
		was := d.device
		d.device = d.take(was)
		front.know(d.cfg.HTTP.Hosts)
		err = d.run(ctx, front)
		if ctx.Err() == nil && errors.Is(err, errReload) {
			d.log.Info("the configuration has been read anew", "file", d.configFile)
			continue
		}
		if d.failed(errors.Join(err, context.Cause(ctx))) {
			d.device = was // the reload has failed, whatever the reason
		}
		if ctx.Err() != nil || errors.Is(err, errLocked) || errors.As(err, &over) {
			break
		}
		if from.trial {
			// A program on trial that cannot work with the journal gives up: the
			// committed one, which systemd starts next, may be able to.
			break
		}
		if d.lived() && d.homeless() {
			d.log.Error("the state directory is gone: the daemon ends, to be started with another", "event", engine.EventJournalFailed, "err", err)
			break
		}
		err = d.unlessDenied(err)
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
	p.watched, p.reload, p.lan = isWatched(), d.reload, d.lan
	u, err := p.start(ctx, opening{create: true, doubt: d.doubt})
	if err != nil {
		return err
	}
	if err := u.web.Check(); err != nil {
		d.log.Warn("downloads that need it will wait", "err", err)
	}
	u.loopFleet(u.engine)
	front.set(u.handler(u.engine, u.journal), u.engine.Status)
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
	beside.Go(func() {
		if err := keepJournal(ctx, d.clock, u.journal, d.log); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() { watchdog(ctx, d.log, u.engine) })
	beside.Go(func() { d.report(ctx, u.engine) })
	beside.Go(func() { announce(ctx, d.log, u.engine) })
	beside.Go(func() { u.trust.follow(ctx) })
	beside.Go(func() {
		if err := u.fleet.run(ctx); err != nil {
			cancel(err)
		}
	})
	// The socket is open, and recovery has decided what to do.
	notify(d.log, "READY=1")
	over := d.begins(d.device, u.engine, func(why error) {
		front.fail(errStarting) // clients wait for the next life, as at a start
		cancel(why)
	})
	err = u.engine.Run(ctx)
	over()
	cancel(nil)
	beside.Wait()
	if whole.Err() == nil && errors.Is(context.Cause(ctx), errReload) && err == nil {
		err = errReload
	}
	if why := context.Cause(ctx); whole.Err() == nil && (errors.Is(why, journal.ErrDamaged) || errors.Is(why, journal.ErrPoisoned)) {
		err = errors.Join(err, why)
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
		o.Listen = []string{d.cfg.HTTP.Local()}
	}
	if d.cfg.HTTP.Open() {
		d.log.Error(d.cfg.HTTP.OpenText())
	}
	d.listenLAN(&o)
	srv, err := httpapi.Listen(o)
	if err != nil {
		return nil, err
	}
	d.lanUnbound = srv.Unbound()
	if len(o.LAN) > 0 && d.lanUnbound == nil {
		now := d.lan()
		d.log.Info("the network may connect by TLS", "address", now.Address, "certificate_sha256", now.Fingerprint, "self_signed", now.SelfSigned)
	}
	return srv, nil
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
