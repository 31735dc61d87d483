package engine

import (
	"log/slog"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/steps"
)

// observer looks at the world for recovery. It changes nothing.
type observer struct {
	journal  Journal
	versions Versions
	data     Data // may be nil
	clock    clock.Clock
	log      *slog.Logger
}

// observe looks at the world.
func (w observer) observe(by By) (Observation, error) {
	further := []string{w.journal.State().Committed}
	if u := w.journal.State().Open; u != nil {
		further = append(further, u.From, u.To, u.Before.Previous, u.Before.Factory)
	}
	at, err := look.PointersAt(w.versions, further...)
	if err != nil {
		return Observation{}, err
	}
	if at.StrangeMarker != nil {
		w.log.Warn("the marker leads to no version; it is ignored", "err", at.StrangeMarker)
	}
	for v, err := range at.Unreadable {
		w.log.Warn("cannot read a version", "version", v, "err", err)
	}
	return Observation{
		By: by, Boot: w.clock.Boot(), Pointers: at.Pointers, Strange: at.Strange, States: at.States,
		Marker: at.Marker, Marked: at.Marked, Unprepared: w.unprepared(),
	}, nil
}

// unprepared reports whether the open update is in Switching and its step has
// still to do what must come before the flip. When recovery cannot tell, it
// leaves the flip to the step: the old version runs meanwhile.
func (w observer) unprepared() bool {
	u := w.journal.State().Open
	if w.data == nil || u == nil || u.State != Switching {
		return false
	}
	owes, err := w.data.Owes(u.From, u.To)
	if err != nil {
		w.log.Warn("cannot tell what comes before the switch", "update", u.ID, "err", err)
		return true
	}
	if !owes {
		return false
	}
	var note steps.Prepared
	if _, err := (notes{w.journal, u.ID, string(StepOf(Switching))}).Load(&note); err != nil {
		w.log.Warn("cannot read how far the switch is prepared", "update", u.ID, "err", err)
	}
	return !note.Prepared
}
