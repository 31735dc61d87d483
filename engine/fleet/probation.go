package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

const (
	// enough is how long something must fail without a pause, of a version on probation,
	// before the device goes back.
	enough = 5 * time.Minute
	// noted is how often it is journaled how far a probation is.
	noted = time.Hour
	// leastAlone is how long at least a device must be cut off, and leastTries how often it
	// must have asked.
	leastAlone = time.Hour
	leastTries = 6
	// lastTry is how long after the question that would have convinced it a device asks again.
	lastTry = 10 * time.Minute
	aDay    = 24 * time.Hour
)

// watch is what the loop has seen of the version on probation.
type watch struct {
	update string
	// since is when this process began to watch, from is how long it had been watched
	// before, and noted what was journaled last.
	since, from, noted time.Duration
	// bad is since when something has been failing; 0 while all is well.
	bad time.Duration
	why string
}

// probe watches the version on probation: time counts while the device runs.
func (l *Loop) probe(ctx context.Context) (time.Duration, error) {
	p := l.cfg.Engine.Journal().Probation
	if p == nil {
		if l.watch != (watch{}) {
			l.watch = watch{}
			l.set(func(s *Status) { s.Probation = nil })
		}
		return l.suspect(ctx)
	}
	st := l.cfg.Engine.Status()
	now := l.cfg.Clock.Monotonic()
	if l.watch.update != p.Update {
		// What was not journaled before the power went is watched once more.
		l.watch = watch{update: p.Update, since: now, from: p.Ran, noted: p.Ran}
		if p.Seen.Boot != l.cfg.Clock.Boot() {
			if err := l.cfg.Engine.Probed(ctx, journal.Probed{Ran: p.Ran, Boots: p.Boots + 1}, "the device was started on probation"); err != nil {
				return 0, err
			}
		}
	}
	ran := l.watch.from + now - l.watch.since
	switch {
	case st.Update != nil && engine.Switched(st.State) && !engine.Terminal(st.State):
		return lookAgain, nil // it is changing what would be looked at
	case st.Pointers.Current != p.Version:
		return 0, l.over(ctx, ran, p, "another version runs")
	case ran >= p.Lasts && l.watch.bad == 0:
		return 0, l.over(ctx, ran, p, fmt.Sprintf("version %s has passed its probation", p.Version))
	case l.stayed(p):
		return 0, l.over(ctx, ran, p, "the way back has failed: "+p.Version+" stays")
	}
	if ran-l.watch.noted >= noted {
		// Without this record, a device that is switched off each evening would never pass.
		if err := l.cfg.Engine.Probed(ctx, journal.Probed{Ran: ran, Boots: p.Boots}, "still on probation"); err != nil {
			return 0, err
		}
		l.watch.noted = ran
	}
	reason, reach := l.doubt(ctx, p, now)
	l.set(func(s *Status) {
		s.Probation = &ProbationStatus{Version: p.Version, Back: p.Back, Left: max(p.Lasts-ran, 0), Doubt: l.watch.why}
	})
	if reason == "" {
		if l.cfg.Failing == nil { // nothing to look at, but for the questions
			return max(min(p.Lasts-ran, l.watch.noted+noted-ran), time.Second), nil
		}
		return lookAgain, nil
	}
	_, err := l.cfg.Engine.GoBack(engine.AskedBy(ctx, &journal.Asker{Kind: journal.ByUpdater}), reason, reach)
	switch {
	case errors.Is(err, engine.ErrBusy):
		return lookAgain, nil
	case errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrNothingToDo):
		return 0, l.over(ctx, ran, p, "there is nowhere to go back to: "+err.Error())
	}
	return lookAgain, err
}

// stayed reports whether the device has tried to go back from the version on probation,
// and has not got there. It does not try again: each try stops what still runs.
func (l *Loop) stayed(p *journal.Probation) bool {
	f := l.cfg.Engine.Journal()
	u := f.Last
	if f.Open != nil && f.Open.Terminal {
		u = f.Open // its clean-up is left
	}
	return u != nil && u.Kind == engine.Probation && u.Evicts != nil && u.Evicts.Update == p.Update && u.State != engine.Committed
}

// over ends a probation.
func (l *Loop) over(ctx context.Context, ran time.Duration, p *journal.Probation, why string) error {
	return l.cfg.Engine.Probed(ctx, journal.Probed{Ran: ran, Boots: p.Boots, Over: true}, why)
}

// doubt says what speaks against the version, once it has done so for long enough. reach:
// only that its source cannot be reached.
func (l *Loop) doubt(ctx context.Context, p *journal.Probation, now time.Duration) (reason string, reach bool) {
	why := ""
	if l.cfg.Failing != nil {
		why = l.cfg.Failing(ctx)
	}
	if why == "" {
		l.watch.bad, l.watch.why = 0, ""
		return l.alone(p, now)
	}
	if l.watch.bad == 0 {
		l.watch.bad = now
	}
	l.watch.why = why
	if now-l.watch.bad < enough {
		return "", false
	}
	return fmt.Sprintf("PROBATION: %s, %s after version %s was committed", why, l.ago(p), p.Version), false
}

// placed remembers where the source is that offers what is about to be accepted: that
// nobody answers at another place says nothing of the version.
func (l *Loop) placed(ctx context.Context) error {
	if l.place() {
		return nil
	}
	place, err := json.Marshal(l.cfg.Source.Place())
	if err != nil {
		return err
	}
	return l.cfg.Engine.Remember(ctx, l.cfg.Source.Name()+", place", place)
}

// place reports whether the source is where the newest offer came from.
func (l *Loop) place() bool {
	now, err := json.Marshal(l.cfg.Source.Place())
	return err == nil && bytes.Equal(now, l.cfg.Engine.Journal().FactsOf(l.cfg.Source.Name()+", place"))
}

// alone says that nobody has answered this device for so long that the version may be to
// blame. The version before could reach the source within the day before it. Of another
// source, or another place of it, which somebody has configured since, nobody knows that.
func (l *Loop) alone(p *journal.Probation, now time.Duration) (reason string, reach bool) {
	if !p.Reach || l.unheard == 0 || p.Origin == nil || p.Origin.Source != l.cfg.Source.Name() || !l.place() {
		return "", false
	}
	due := max(l.unheard, l.watch.since) + max(p.Lasts/2, leastAlone)
	if now < due {
		return "", false
	}
	// A device that backs off has not asked for hours, and the source may be there again: it
	// asks now, and once more.
	for _, at := range []time.Duration{due, due + lastTry} {
		if l.tried < at {
			l.next = max(min(l.next, at), now)
			return "", false
		}
	}
	if l.tries < leastTries {
		return "", false
	}
	return fmt.Sprintf("PROBATION: %s cannot be reached any more since version %s, and could before", l.cfg.Source.Name(), p.Version), true
}

func (l *Loop) ago(p *journal.Probation) string {
	d, _ := l.cfg.Engine.Age(p.Began)
	return d.Round(time.Minute).String()
}

// proof is how soon after the way back the version before has to reach the source for the
// release to be to blame: a device that it had cut off is there again with the first
// questions. An outage ends at any time.
const proof = 10 * time.Minute

// reached notes that the source has answered: a release from which the device has gone
// back because it did not is to blame, if that has helped at once.
func (l *Loop) reached(ctx context.Context) error {
	s := l.cfg.Engine.Journal().Suspect
	if s == nil {
		return nil
	}
	if d, sure := l.cfg.Engine.Age(s.Since); !sure || d > proof {
		return l.acquit(ctx, s, "reaches the source only now")
	}
	err := l.cfg.Engine.Convict(ctx)
	if errors.Is(err, engine.ErrNothingToDo) {
		err = nil
	}
	return err
}

// suspect has the source asked often enough for a verdict, and lets go of a suspicion when
// the version before reaches nobody either.
func (l *Loop) suspect(ctx context.Context) (time.Duration, error) {
	s := l.cfg.Engine.Journal().Suspect
	if s == nil {
		return 0, nil
	}
	d, _ := l.cfg.Engine.Age(s.Since)
	if d > proof {
		return 0, l.acquit(ctx, s, "does not reach the source either")
	}
	now := l.cfg.Clock.Monotonic()
	for _, after := range []time.Duration{time.Minute, 3 * time.Minute, 6 * time.Minute, 9 * time.Minute} {
		if at := now - d + after; l.tried < at {
			l.next = max(min(l.next, at), now)
			break
		}
	}
	return lookAgain, nil
}

// acquit lets go of a suspicion.
func (l *Loop) acquit(ctx context.Context, s *journal.Suspect, why string) error {
	return l.cfg.Engine.Acquit(ctx, "the version before "+why+": that says nothing of version "+s.Version)
}

// Reached reports whether the source was heard in the last day, for engine.Config.
func (l *Loop) Reached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spoken > 0 && l.cfg.Clock.Monotonic()-l.spoken < aDay
}
