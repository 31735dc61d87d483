package enginetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/tope/updater/engine"
)

// Device is a world with a journal and a server: all that survives a cut.
type Device struct {
	*World
	J      *Journal
	Bundle Bundle
}

// NewDevice is NewWorld's device with an empty journal and a server that
// offers 1.1.0.
func NewDevice() *Device {
	w := NewWorld()
	return &Device{World: w, J: NewJournal(w), Bundle: Bundle{Version: "1.1.0", Digest: "md5:b"}}
}

// Engine is a new process's engine.
func (d *Device) Engine() (*engine.Engine, error) {
	cfg := engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: d.Steps(d.Bundle), Clock: d.Clock}
	if d.Programs.Copy != "" {
		cfg.Program = program{d.World}
	}
	return engine.New(cfg)
}

// Request is what a user asks of a running engine.
type Request func(context.Context, *engine.Engine) (string, error)

// Life is one daemon's: start, recover, take a request (nil for none), and run
// until no update is open or the power goes. seen is called with each status
// that a poller could have seen. It begins as the committed program, and goes on
// as another when that has to take over.
func (d *Device) Life(req Request, seen func(engine.Status)) error {
	d.Programs.Process = d.Programs.Copy
	for {
		err := d.life(req, seen)
		var over *engine.TakeOver
		if d.Off() || !errors.As(err, &over) {
			return err
		}
		d.Programs.becomes(over)
		req = nil
	}
}

func (d *Device) life(req Request, seen func(engine.Status)) error {
	e, err := d.Engine()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := e.Recover(ctx, engine.Daemon); err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	stop := func(err error) error {
		cancel()
		if rerr := <-ran; rerr != nil {
			return rerr
		}
		return err
	}
	if req != nil {
		asked := make(chan error, 1)
		go func() { _, err := req(ctx, e); asked <- err }()
		select {
		case err := <-asked:
			if err != nil {
				return stop(err)
			}
		case err := <-ran:
			return err
		}
	}
	for {
		changed := e.Changed()
		s := e.Status()
		if seen != nil {
			seen(s)
		}
		if s.Update == nil {
			return stop(nil)
		}
		select {
		case <-changed:
		case err := <-ran:
			if seen != nil {
				seen(e.Status())
			}
			return err
		}
	}
}

// Boot is a reboot: the oneshot, the init system, and a daemon's life, with
// the power to go at cut.
func (d *Device) Boot(cut Cut, seen func(engine.Status)) error {
	d.Reboot()
	d.On(cut)
	if err := d.Oneshot(); err != nil && d.Off() {
		return err
	}
	d.InitStarts()
	return d.Life(nil, seen)
}

// Oneshot is `recover` at boot.
func (d *Device) Oneshot() error {
	e, err := d.Engine()
	if err != nil {
		return err
	}
	_, err = e.Recover(context.Background(), engine.Oneshot)
	return err
}

// Trace is the journal's story in one line a record, without times: two runs
// that are the same have the same trace.
func (d *Device) Trace() string {
	var s string
	for _, r := range d.J.All() {
		s += fmt.Sprintf("%s %s %s %s→%s %s %s\n", r.Phase, r.Step, r.Trigger, r.From, r.To, r.Rule, r.Why)
	}
	return s
}
