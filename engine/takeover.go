package engine

import (
	"context"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// takeovers is how often a version's own updater may take an update over in one
// boot. More than once, because it may have been killed for no fault of its own.
const takeovers = 2

// byTakeover is who a takeover's start is accounted to: it costs nothing, the
// program that began it has paid.
const byTakeover By = "takeover"

// Program is the updater itself, as a file: in the versions that carry one, and
// as the committed copy outside them.
type Program interface {
	// Running is the digest of the program that runs.
	Running() (string, error)
	// Successor is the program that has to judge and commit a version: its own,
	// when it carries one that is not running. It is nil when this program is the
	// right one. An error that is Unhealthy says that the version's own cannot be run.
	Successor(ctx context.Context, version string) (next *Successor, err error)
	// Committed is the committed copy, for a program that is not: nil when this
	// process cannot be replaced by it, or need not be.
	Committed() (*Successor, error)
	// Adopt makes the version's own updater the committed copy, durably; false
	// when there was nothing to do. If the power goes meanwhile the committed copy
	// is the old one or the new one, whole.
	Adopt(version string) (bool, error)
}

// Successor is a program that can go on in this one's place.
type Successor struct {
	Path, Digest string
	// Able is set when this process can be replaced by it: somebody watches over
	// it and starts the committed copy when it dies.
	Able bool
}

// TakeOver ends Run: everything is in the journal, and the caller has to replace
// this process by the program at Path, which goes on. It is an error so that
// nobody takes it for the end of the context.
type TakeOver struct {
	Path string
	// Trial is set when the program is a version's that is not committed yet.
	Trial bool
}

func (t *TakeOver) Error() string { return "the updater at " + t.Path + " is to take over" }

// successor is asked for by the worker of a state: the program that has to go on
// with it, or nil when it is this one.
//
// A version that carries an updater is judged and committed by that: if it cannot
// even do this, it must not become what recovers the device. The way back is
// always the committed one's.
func (e *Engine) successor(ctx context.Context, u *journal.Update, s State) (*Successor, error) {
	if e.cfg.Program == nil {
		return nil, nil
	}
	switch s {
	case CheckingHealth, Committing:
		next, err := e.cfg.Program.Successor(ctx, u.To)
		if err == nil && next != nil && u.Kind == Recovered {
			// How often it has begun went with the journal. If it was what spoiled
			// that, it would do so again, and be tried for ever.
			return nil, &steps.Error{
				Class: steps.Local, Code: steps.TakeoverFailed,
				Err:  fmt.Errorf("version %s is to be judged by its own updater, and the journal that knew whether that has been tried is lost", u.To),
				Hint: "install it again",
			}
		}
		if err != nil || next == nil || next.Able {
			return next, err
		}
		if u.Takeover != nil {
			// Its own program began and did not finish. Who works without a daemon
			// (the rescue) can tell neither that it is bad nor that it is good.
			return nil, &steps.Error{
				Class: steps.Local, Code: steps.TakeoverFailed,
				Err:  fmt.Errorf("version %s is to be judged by its own updater, which has not done so", u.To),
				Hint: "install it again while the daemon runs",
			}
		}
		return nil, nil
	case RollingBack, FallingBack:
		if onTrial, err := e.onTrial(u); err != nil || !onTrial {
			return nil, err
		}
		return e.cfg.Program.Committed()
	}
	return nil, nil
}

// onTrial reports whether this program is the open update's own.
func (e *Engine) onTrial(u *journal.Update) (bool, error) {
	if e.cfg.Program == nil || u.Takeover == nil {
		return false, nil
	}
	own, err := e.cfg.Program.Running()
	if err != nil {
		return false, fmt.Errorf("cannot tell which updater runs: %w", err)
	}
	return own == u.Takeover.Digest, nil
}

// handOver journals that the other program is to go on, and ends Run. If the
// power goes after that, or the other program dies, the committed one starts and
// finds how often that has been tried.
func (e *Engine) handOver(ctx context.Context, u *journal.Update, rec journal.Record, next *Successor) error {
	s := u.State
	trial := s == CheckingHealth || s == Committing
	if t := u.Takeover; trial && t != nil && t.Digest == next.Digest && t.Boot == e.cfg.Clock.Boot() && t.Tries >= takeovers {
		return e.fail(ctx, rec, &steps.Error{
			Class: steps.Unhealthy, Code: steps.TakeoverFailed,
			Err: fmt.Errorf("the updater of version %s took over %d times and ended each time before the update was committed", u.To, t.Tries),
		})
	}
	why := fmt.Sprintf("version %s has its own updater, which has to judge and commit it", u.To)
	if !trial {
		why = "the way back is the committed updater's"
	}
	if err := e.append(journal.Record{
		Update: u.ID, Phase: journal.Intent, Why: why,
		Takeover: &journal.Takeover{Digest: next.Digest, Back: !trial},
		Spend:    &journal.Spend{By: string(byTakeover)},
	}); err != nil {
		return err
	}
	return &TakeOver{Path: next.Path, Trial: trial}
}

// tookOver notes, at a daemon's start, what has become of a takeover.
func (e *Engine) tookOver(by By) error {
	u := e.open()
	if by != Daemon || u == nil || u.Takeover == nil || u.Takeover.Up || !Switched(u.State) {
		return nil
	}
	onTrial, err := e.onTrial(u)
	if err != nil || !onTrial {
		return err
	}
	return e.append(journal.Record{Update: u.ID, Phase: journal.Outcome, Takeover: &journal.Takeover{Digest: u.Takeover.Digest}})
}

// adopt is the part of a committed update's clean-up that makes its updater the
// committed copy.
func (e *Engine) adopt(u *journal.Update) (bool, error) {
	if e.cfg.Program == nil || u.State != Committed {
		return false, nil
	}
	adopted, err := e.cfg.Program.Adopt(u.To)
	if err != nil {
		return false, fmt.Errorf("the updater of version %s is not the committed one yet: %w", u.To, err)
	}
	return adopted, nil
}

// catchUp does at a start what the clean-up of the newest committed update could
// not: its updater becomes the committed one, unless somebody has gone to another
// version since. It is tried once each start.
func (e *Engine) catchUp() error {
	owed := e.cfg.Journal.State().OwedProgram
	if owed == "" || e.cfg.Program == nil || e.status.Load().pointers.Current != owed {
		return nil
	}
	var adopted bool
	var err error
	e.besides(func() { adopted, err = e.cfg.Program.Adopt(owed) })
	if err != nil {
		e.cfg.Log.Warn("the updater of the current version is not the committed one yet", "version", owed, "err", err)
		return nil //nolint:nilerr // the next start tries again
	}
	if err := e.append(journal.Record{Phase: journal.Outcome, Why: "the updater of version " + owed + " is the committed one", Program: &journal.Program{Version: owed}}); err != nil || !adopted {
		return err
	}
	return e.leave()
}

// settle ends Run, when an update is closed, for a program that should not go
// on: the one that cleaned up after another one's commit, and the one on trial
// of an update that was not committed.
func (e *Engine) settle(u *journal.Update, adopted bool) error {
	leave := adopted
	if u.State != Committed {
		onTrial, err := e.onTrial(u)
		if err != nil {
			return nil //nolint:nilerr // it goes on as it is; the next start is the committed one's
		}
		leave = onTrial
	}
	if !leave {
		return nil
	}
	return e.leave()
}

// leave ends Run for the committed program's sake, unless this is it.
func (e *Engine) leave() error {
	next, err := e.cfg.Program.Committed()
	if err != nil {
		e.cfg.Log.Warn("cannot look at the committed updater", "err", err)
		return nil // this one goes on; the next start is the committed one's
	}
	if next == nil {
		return nil
	}
	return &TakeOver{Path: next.Path}
}
