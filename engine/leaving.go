package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
)

// leavePatience bounds the start of services when the updater ends in order. It is
// below TimeoutStopSec= of tope-updater.service.
const leavePatience = 100 * time.Second

var errLeft = errors.New("the services did not start in time; the service manager goes on with it")

// leaveInOrder is the end of a loop whose context has ended: an operator's stop, a
// shutdown of the device, an interrupted command. It notes that the end was one in
// order, and then starts the services that the interrupted step may have stopped.
//
// The note is durable before services are started, which takes time: if the power
// goes after it, or the updater is killed, the next start is excused. If they come
// before the note is on disk, or it cannot be written, the next start counts as one after
// a death; the services are started all the same.
func (l *loop) leaveInOrder(ctx context.Context) error {
	u := l.book.open()
	if u == nil || ctx.Err() == nil {
		return nil
	}
	var unnoted error // a journal that fails must not leave the services stopped
	if !u.Terminal {  // the starts after an update's end are not counted
		unnoted = l.noteEnd(u)
	}
	if !rowOf(u.State).stops {
		return unnoted
	}
	bound, cancel := clock.WithTimeout(context.WithoutCancel(ctx), l.clock, leavePatience, errLeft)
	defer cancel()
	if err := l.worker.startAgain(bound, u); err != nil {
		l.log.Error("not all services run again", "update", u.ID, "err", err)
	}
	return unnoted
}

// noteEnd journals that the updater ends in order.
func (l *loop) noteEnd(u *journal.Update) error {
	onTrial, err := l.programs.onTrial(u)
	if err != nil {
		l.log.Warn("cannot tell whether the version's own updater ends here", "err", err)
	}
	return l.book.append(journal.Record{
		Update: u.ID, Phase: journal.Observed, Why: "the updater ended in order", Stopped: &journal.Stopped{Trial: onTrial},
	})
}

// startAgain starts the services that a step has stopped, from the version that
// current leads to at this moment. The next start of the updater finds the update
// in the same state and goes on: its step stops them once more, or finds its work
// done. While the system goes down nothing is started (Starter).
func (w *worker) startAgain(ctx context.Context, u *journal.Update) error {
	at, err := w.versions.Pointers()
	if err != nil {
		return fmt.Errorf("cannot read the pointers: %w", err)
	}
	if at.Current == "" {
		return nil
	}
	t, err := w.task(job{update: u, state: u.State}.as(u.State))
	if err != nil {
		return err
	}
	if err := unprepare(t, at.Current); err != nil {
		return err
	}
	t.Target = at
	return w.starter.StartAgain(ctx, t)
}

// unprepare takes back the note that a switch is prepared, when current has not
// moved after it: the old version is about to write on, and the snapshot of its
// data would miss that. The note is gone before the old version starts: after a
// power cut, recovery leaves the flip to the step, which takes the snapshot anew.
func unprepare(t *steps.Task, current string) error {
	var note steps.Prepared
	if t.Back || current == t.Target.Current {
		return nil
	}
	if _, err := t.Notes.Load(&note); err != nil || !note.Prepared {
		return err
	}
	return t.Notes.Save(steps.Prepared{})
}
