package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// patience is how long a test waits for a life that hangs. No test waits all
// that time otherwise: a life reports every change by itself.
const patience = time.Minute

// Life is one process of the updater: an engine that has recovered and whose
// loop runs. Start makes one, Stop ends it in order, and Kill, or a cut of the
// device's power, ends it where it stands.
//
// A Life embeds its Engine: requests are made of it directly.
type Life struct {
	*engine.Engine
	d      *Device
	t      testing.TB // nil for a life that Start made
	cancel context.CancelFunc
	ran    chan struct{} // closed when Run has returned
	err    error         // Run's, once ran is closed
	killed bool
}

// Change alters what the next engine is made of: a step that waits, a deadline.
type Change func(*engine.Config)

// Start begins a process: a new engine, the daemon's recovery, and the loop. It
// returns the error that kept the process from running.
func (d *Device) Start(changes ...Change) (*Life, error) {
	e, err := d.Engine(changes...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := e.Recover(ctx, engine.Daemon); err != nil {
		cancel()
		return nil, err
	}
	l := &Life{Engine: e, d: d, cancel: cancel, ran: make(chan struct{})}
	go func() {
		l.err = e.Run(ctx)
		close(l.ran)
	}()
	return l, nil
}

// Up is Start with the power on, for a test that talks to a daemon: it fails the
// test on an error, and ends the process in order with the test.
func (d *Device) Up(t testing.TB, changes ...Change) *Life {
	t.Helper()
	d.On(Cut{})
	l, err := d.Start(changes...)
	require.NoError(t, err)
	l.t = t
	t.Cleanup(func() { require.NoError(t, l.Stop()) })
	return l
}

// Kill ends the process where it stands: what it would still do or write does not
// happen. The device has no power until On.
func (l *Life) Kill() {
	l.d.Fail()
	_ = l.Stop() // it could not write its last words
	l.killed = true
}

// Stop ends the process in order and returns what Run returned. It may be
// called again.
func (l *Life) Stop() error {
	l.cancel()
	<-l.ran
	if l.killed {
		return nil
	}
	return l.err
}

// Wait waits until word arrives or the process ends; it returns the error that
// ended the process.
func (l *Life) Wait(word <-chan struct{}) error {
	select {
	case <-word:
		return nil
	case <-l.ran:
		return l.err
	}
}

// Ask makes a request. When the process ends before the answer is seen, Ask
// returns the error that ended it; the request may have been accepted all the same.
func (l *Life) Ask(req Request) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := make(chan error, 1)
	go func() { _, err := req(ctx, l.Engine); asked <- err }()
	select {
	case err := <-asked:
		return err
	case <-l.ran:
		return l.err
	}
}

// Watch calls see with the status now and after each change, until see returns
// true or the process ends. If the process ended, Watch returns the error that
// ended it.
func (l *Life) Watch(see func(engine.Status) bool) error {
	hangs := time.NewTimer(patience)
	defer hangs.Stop()
	for {
		changed := l.Changed()
		if see(l.Status()) {
			return nil
		}
		select {
		case <-changed:
		case <-l.ran:
			see(l.Status())
			return l.err
		case <-hangs.C:
			return fmt.Errorf("nothing has changed for %s in %s:\n%s", patience, l.Status().State, l.d.Trace())
		}
	}
}

// Rest waits until no update is open and the loop waits for a request, or the
// process has ended. If the process ended, Rest returns the error that ended it.
func (l *Life) Rest() error {
	if err := l.Watch(func(s engine.Status) bool { return s.Update == nil }); err != nil {
		return err
	}
	// The record that closes an update may also end Run. A loop that answers one
	// more call has not ended; with no open update, Cancel changes nothing.
	if err := l.Ask(func(ctx context.Context, e *engine.Engine) (string, error) { return e.Cancel(ctx) }); !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	return nil
}

// Until waits until the open update is in state s, and returns the status that
// says so; for Idle it waits until no update is open. It is only for a life of
// Up: it fails the test when the process ends first.
func (l *Life) Until(s engine.State) engine.Status {
	l.t.Helper()
	var st engine.Status
	met := false
	err := l.Watch(func(now engine.Status) bool { st, met = now, now.State == s; return met })
	require.NoError(l.t, err)
	require.True(l.t, met, "the process ended in %s and not in %s:\n%s", st.State, s, l.d.Trace())
	return st
}

// Request is what a user asks of a running engine.
type Request func(context.Context, *engine.Engine) (string, error)

// Install asks for the server's bundle.
func Install(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("http://server/bundle")}})
}

// Secretive is Install from a URL that has the word "secret" wherever a secret may be.
func Secretive(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("http://secret:secret@server/bundle?token=secret#secret")}})
}

// CheckBundle asks whether the server's bundle would fit.
func CheckBundle(ctx context.Context, e *engine.Engine) (string, error) {
	return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("http://server/bundle")}, Check: true})
}

// Live is a daemon from start to end: it takes a request (nil for none), and
// runs until no update is open or the power goes. seen is called with each
// status that a poller could have seen. The daemon begins as the committed
// program, and goes on as another program when that one has to take over.
func (d *Device) Live(req Request, seen func(engine.Status)) error {
	d.Programs.Process = d.Programs.Copy
	for {
		err := d.live(req, seen)
		var over *engine.TakeOver
		if d.Off() || !errors.As(err, &over) {
			return err
		}
		d.Programs.Becomes(over)
		req = nil
	}
}

func (d *Device) live(req Request, seen func(engine.Status)) error {
	l, err := d.Start()
	if err != nil {
		return err
	}
	defer l.Stop() //nolint:errcheck // what ended it has been returned
	if req != nil {
		if err := l.Ask(req); err != nil {
			return err
		}
	}
	var unable error
	err = l.Watch(func(s engine.Status) (over bool) {
		if seen != nil {
			seen(s)
		}
		if d.Fleet == nil || unable != nil {
			return s.Update == nil || unable != nil
		}
		over, unable = d.attend(l)
		return over || unable != nil
	})
	if err != nil {
		return err
	}
	// An end of the process is why it did not answer.
	return cmp.Or(l.Stop(), unable)
}

// Boot is a reboot after the power went: the oneshot, the init system, and a daemon's
// life. The power goes at cut. What was not synced is lost.
func (d *Device) Boot(cut Cut, seen func(engine.Status)) error {
	d.Reboot()
	d.Memory.Lose()
	if d.Fleet != nil && d.Fleet.Away != nil {
		d.Fleet.Away(d)
		d.Fleet.Away = nil
	}
	d.On(cut)
	if err := d.Oneshot(); err != nil && d.Off() {
		return err
	}
	d.InitStarts()
	return d.Live(nil, seen)
}

// Oneshot is `recover` at boot.
func (d *Device) Oneshot(changes ...Change) error {
	e, err := d.Engine(changes...)
	if err != nil {
		return err
	}
	_, err = e.Recover(context.Background(), engine.Oneshot)
	return err
}
