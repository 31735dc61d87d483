package engine

import (
	"log/slog"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// outbox knows who is told what.
type outbox struct {
	// everywhere is who is told the end of each update.
	everywhere []string
	versions   Versions
	log        *slog.Logger
}

// owed is what is to be told of a change of state, m, that is about to be journaled: to
// whoever made the offer that the update carries out, and the end to those who are told
// everywhere. The notices are in the record that they tell of. If the power goes before it
// is durable, nothing has happened and nothing is owed; afterwards both.
//
// Nothing is told in any other way, so nothing is told that is not durable.
func (b outbox) owed(c change, m journal.Record) (list []journal.Notice) {
	u, at := c.update, rowOf(m.To)
	if !at.over && !at.told {
		return nil
	}
	n := journal.Notice{Update: u.ID, State: m.To, End: at.over, From: u.From, Version: u.To, By: m.By}
	for _, r := range append(c.first, m) {
		if r.Learn != nil && r.Learn.To != "" {
			n.Version = r.Learn.To // the update learns of it with this change
		}
	}
	if at.over {
		n.Error = cause(u, m)
		n.Running = b.runs()
		for _, to := range b.everywhere {
			n.To, n.Newest = to, true
			list = append(list, n)
		}
		n.Newest = false
	}
	if u.Origin == nil || !u.Reports {
		return list
	}
	n.To, n.Origin = u.Origin.Source, u.Origin
	if u.Kind == Probation {
		// The offer had been told to have come to a good end. That the device has gone
		// back is news, and that it tried to is not.
		if m.To != Committed {
			return list
		}
		n.State = RolledBack
		n.Error = &journal.Failure{Class: string(steps.Unhealthy), Code: string(steps.FailedProbation)}
		if u.Evicts != nil {
			n.Error.Text, n.Version = u.Evicts.Reason, u.Evicts.Version
		}
	}
	return append(list, n)
}

// cause is why an update ends without having done what was asked; nil when it has.
func cause(u *journal.Update, m journal.Record) *journal.Failure {
	switch {
	case Success(m.To):
		return nil
	case u.Cause != nil:
		return brief(u.Cause)
	case m.Error != nil:
		return brief(m.Error)
	}
	return brief(u.Error)
}

// brief is a failure without what its line leaves out: the update's records have that.
func brief(f *journal.Failure) *journal.Failure {
	if f == nil {
		return nil
	}
	return &journal.Failure{Code: f.Code, Class: f.Class, Text: f.Text, Outline: f.Outline}
}

// runs is the version to which current leads now, at the end of an update: an operator
// may have moved it. Empty when that cannot be told.
func (b outbox) runs() string {
	at, err := b.versions.Pointers()
	if err != nil {
		b.log.Warn("cannot tell on which version an update leaves the device", "err", err)
	}
	return at.Current
}
