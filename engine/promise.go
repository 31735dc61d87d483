package engine

import (
	"encoding/json"

	"github.com/tope/updater/steps"
)

// promised is an update that is not accepted yet, with all that it needs on disk: it may
// wait for the clean-up of the update that gives way to it.
type promised struct {
	id     string
	source json.RawMessage
}

// promise names the next update, and keeps the secrets of its source. It comes before
// anything is taken away for that update: a full disk refuses the request, and nothing else
// has changed. The name stays the update's own while it waits: the record that makes
// another update give way moves the journal's number on.
//
// If the power goes before the update is accepted, the next clean-up finds a directory of
// no update, and removes it.
func (l *loop) promise(src steps.Source, h *steps.Handed) (p *promised, err error) {
	p = &promised{id: l.book.newID()}
	l.promised = p
	p.source, err = record(l.keeper, p.id, src, h)
	return p, err
}

// forget removes what was kept for an update that is not accepted after all; nil for none.
func (l *loop) forget(p *promised) {
	if p == nil || l.promised != p {
		return
	}
	l.promised = nil
	if err := l.keeper.DropWorkDir(p.id); err != nil {
		l.log.Warn("cannot remove what was kept for a request", "update", p.id, "err", err)
	}
}

// next is the id of the update that was promised; empty for none.
func (l *loop) next() string {
	if l.promised == nil {
		return ""
	}
	return l.promised.id
}
