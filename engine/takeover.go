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

// handOver journals that the other program is to go on, and ends the loop. If
// the power goes after that, or the other program dies, the committed one
// starts and finds in the journal how often the takeover has been tried.
func (l *loop) handOver(ctx context.Context, u *journal.Update, rec journal.Record, next *Successor) error {
	s := u.State
	trial := s == CheckingHealth || s == Committing
	if t := u.Takeover; trial && t != nil && t.Digest == next.Digest && t.Boot == l.clock.Boot() && t.Tries >= takeovers {
		return l.book.giveUp(ctx, rec, &steps.Error{
			Class: steps.Unhealthy, Code: steps.TakeoverFailed,
			Err: fmt.Errorf("the updater of version %s took over %d times and ended each time before the update was committed", u.To, t.Tries),
		})
	}
	why := fmt.Sprintf("version %s has its own updater, which has to judge and commit it", u.To)
	if !trial {
		why = "the way back is the committed updater's"
	}
	if err := l.book.append(journal.Record{
		Update: u.ID, Phase: journal.Intent, Why: why,
		Takeover: &journal.Takeover{Digest: next.Digest, Back: !trial},
		Spend:    &journal.Spend{By: string(byTakeover)},
	}); err != nil {
		return err
	}
	return &TakeOver{Path: next.Path, Trial: trial}
}

// catchUp makes the updater of the newest committed version the committed one,
// when the clean-up could not do it. It does nothing when the device has gone
// to another version since. It tries once at each start.
func (l *loop) catchUp() error {
	owed := l.book.journal.State().OwedProgram
	if owed == "" || l.programs.program == nil || l.book.board.pointers().Current != owed {
		return nil
	}
	var adopted bool
	var err error
	l.aliveDuring(func() { adopted, err = l.programs.program.Adopt(owed) })
	if err != nil {
		l.log.Warn("the updater of the current version is not the committed one yet", "version", owed, "err", err)
		return nil //nolint:nilerr // the next start tries again
	}
	if err := l.book.append(journal.Record{Phase: journal.Outcome, Why: "the updater of version " + owed + " is the committed one", Program: &journal.Program{Version: owed}}); err != nil || !adopted {
		return err
	}
	return l.leave()
}

// settle ends the loop, when an update is closed, for a program that should not
// go on: the one that cleaned up after a commit by another program, or the one
// on trial of an update that was not committed.
func (l *loop) settle(u *journal.Update, adopted bool) error {
	leave := adopted
	if u.State != Committed {
		onTrial, err := l.programs.onTrial(u)
		if err != nil {
			return nil //nolint:nilerr // it goes on as it is; the next start is the committed one's
		}
		leave = onTrial
	}
	if !leave {
		return nil
	}
	return l.leave()
}

// leave ends the loop so that the committed program goes on, unless this is it.
func (l *loop) leave() error {
	next, err := l.programs.program.Committed()
	if err != nil {
		l.log.Warn("cannot look at the committed updater", "err", err)
		return nil // this one goes on; the next start is the committed one's
	}
	if next == nil {
		return nil
	}
	return &TakeOver{Path: next.Path}
}
