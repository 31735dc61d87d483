package httpapi

import (
	"cmp"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
)

// This file is the line between what anybody may read and what is private: the words of
// services, servers and hooks (details, evidence), where bundles come from, and who asked.
// Routes that have nothing else, such as the journal, need ReadPrivate as a whole.

// seesAll reports whether the sender of a request may read what is private.
func seesAll(r *http.Request) bool { return callerOf(r).rights.has(ReadPrivate) }

// publicStatus is a status for anybody.
func publicStatus(s engine.Status) engine.Status {
	s.Update, s.Last = publicUpdateStatus(s.Update), publicUpdateStatus(s.Last)
	return s
}

func publicUpdateStatus(u *engine.UpdateStatus) *engine.UpdateStatus {
	if u == nil {
		return nil
	}
	u = u.Outlined()
	shown := *u
	shown.By, shown.Findings = nil, nil
	shown.Error, shown.Cause = withoutDetails(u.Error), withoutDetails(u.Cause)
	return &shown
}

func withoutDetails(e *engine.ErrorStatus) *engine.ErrorStatus {
	if e == nil {
		return nil
	}
	shown := *e
	shown.Details = ""
	return &shown
}

// shownTo is an update of the journal as the sender of a request may see it.
func shownTo(r *http.Request, u journal.Update) journal.Update {
	if seesAll(r) {
		return u
	}
	return publicUpdate(u)
}

// publicUpdate is an update of the journal for anybody.
func publicUpdate(u journal.Update) journal.Update {
	u.By, u.Source, u.Found, u.Baseline, u.Findings = nil, nil, nil, nil, nil
	u.Wait, u.Evicts = publicWait(u.Wait), nil
	u.Error, u.Cause = publicFailure(u.Error), publicFailure(u.Cause)
	return u
}

func publicFailure(f *journal.Failure) *journal.Failure {
	if f == nil {
		return nil
	}
	shown := *f
	shown.Text, shown.Outline, shown.Details = cmp.Or(f.Outline, f.Text), "", ""
	return &shown
}
