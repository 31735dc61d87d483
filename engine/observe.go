package engine

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/versions"
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
	o := Observation{By: by, Boot: w.clock.Boot(), Strange: map[string]string{}, States: map[string]versions.State{}}
	var err error
	if o.Pointers, err = w.versions.Pointers(); err != nil {
		return o, fmt.Errorf("cannot read the pointers: %w", err)
	}
	for name, at := range map[string]string{versions.Current: o.Pointers.Current, versions.Previous: o.Pointers.Previous, versions.Factory: o.Pointers.Factory} {
		raw, there, err := w.versions.Raw(name)
		switch {
		case errors.Is(err, versions.ErrForeign):
			o.Strange[name] = "(no link)"
		case err != nil:
			return o, fmt.Errorf("cannot read the pointer %s: %w", name, err)
		case there && at == "":
			o.Strange[name] = raw
		}
	}
	switch o.Marker, o.Marked, err = w.versions.Marker(); {
	case errors.Is(err, versions.ErrForeign):
		// The updater did not make it, so it means nothing.
		w.log.Warn("the marker leads to no version; it is ignored", "err", err)
		o.Marker, o.Marked = "", false
	case err != nil:
		return o, fmt.Errorf("cannot read the marker: %w", err)
	}
	o.Unprepared = w.unprepared()
	names := []string{o.Pointers.Current, o.Pointers.Previous, o.Pointers.Factory, o.Marker}
	if u := w.journal.State().Open; u != nil {
		names = append(names, u.From, u.To, u.Before.Previous, u.Before.Factory)
	}
	for _, v := range names {
		if v == "" {
			continue
		}
		if _, known := o.States[v]; known {
			continue
		}
		// A version that cannot be read is as good as damaged: a bad block must
		// not keep a device from going to another version.
		if o.States[v], err = w.versions.State(v); err != nil {
			w.log.Warn("cannot read a version", "version", v, "err", err)
		}
	}
	return o, nil
}

// unprepared tells whether the open update is in Switching and its step has not
// done yet what must come before the flip. When that cannot be told, the flip is
// left to the step, which can: the old version runs meanwhile.
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
