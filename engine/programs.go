package engine

import (
	"context"
	"fmt"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// TakeOver ends Run: everything is in the journal, and the caller has to
// replace this process by the program at Path, which goes on. It is an error,
// so that a caller does not take it for the end of the context.
type TakeOver struct {
	Path string
	// Trial is set when the program is a version's that is not committed yet.
	Trial bool
}

func (t *TakeOver) Error() string { return "the updater at " + t.Path + " is to take over" }

// programs decides which updater has to go on with an update: the committed
// one, or that of the version that is to be judged. It writes only the
// committed copy (adoptFrom). Its only field is nil on a device whose versions
// carry no updater.
type programs struct{ program Program }

// rightOne is the program that has to go on with a state; nil when it is this
// one.
//
// A version that carries an updater is judged and committed by that updater: an
// updater that cannot even do this must not become the one that recovers the
// device. The way back always belongs to the committed one.
func (p programs) rightOne(ctx context.Context, u *journal.Update, s State) (*Successor, error) {
	if p.program == nil {
		return nil, nil
	}
	switch s {
	case CheckingHealth, Committing:
		next, err := p.program.Successor(ctx, u.To)
		if err == nil && next != nil && u.Kind == Recovered {
			// The count of its tries was lost with the journal. If the program itself
			// spoiled the journal, it would do so again, and be tried without end.
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
			// The version's own program began and did not finish. A program that
			// works without a daemon (the rescue) cannot tell whether that one is
			// bad or good.
			return nil, &steps.Error{
				Class: steps.Local, Code: steps.TakeoverFailed,
				Err:  fmt.Errorf("version %s is to be judged by its own updater, which has not done so", u.To),
				Hint: "install it again while the daemon runs",
			}
		}
		return nil, nil
	case RollingBack, FallingBack, Returning:
		if onTrial, err := p.onTrial(u); err != nil || !onTrial {
			return nil, err
		}
		return p.program.Committed()
	}
	return nil, nil
}

// onTrial reports whether this program is the open update's own.
func (p programs) onTrial(u *journal.Update) (bool, error) {
	if p.program == nil || u.Takeover == nil {
		return false, nil
	}
	own, err := p.program.Running()
	if err != nil {
		return false, fmt.Errorf("cannot tell which updater runs: %w", err)
	}
	return own == u.Takeover.Digest, nil
}

// adoptFrom is the part of a committed update's clean-up that makes its updater the
// committed copy.
func (p programs) adoptFrom(u *journal.Update) (bool, error) {
	if p.program == nil || u.State != Committed {
		return false, nil
	}
	adopted, err := p.program.Adopt(u.To)
	if err != nil {
		return false, fmt.Errorf("the updater of version %s is not the committed one yet: %w", u.To, err)
	}
	return adopted, nil
}
