package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/secret"
)

// table plays the scenes one after the other, each with actions of its own.
type table struct {
	*device
	m    *manager
	wire *wire
	full bool

	// first and second are sets with a bundle each; unfit has two files.
	first, second, unfit int
	differs              int
}

// The names of settings of a tenant.
const (
	targetTokens = "authentication.targettoken.enabled"
	confirmation = "user.confirmation.flow.enabled"
)

// playTable makes what the scenes need, plays them, and removes it.
func playTable(ctx context.Context, d *device, m *manager, full bool) (err error) {
	name, token := "hawkbitplay-"+rand.Text(), secret.New(rand.Text())
	d.cfg.ID, d.cfg.Token = name, func() (secret.Text, error) { return token, nil }
	if err := d.restart(); err != nil {
		return err
	}
	t := &table{device: d, m: m, full: full, wire: &wire{web: d.cfg.Web, url: m.url + "/" + d.cfg.Tenant + "/controller/v1/", id: name, token: token}}
	// What was made is removed, also when ctx has ended.
	later := context.WithoutCancel(ctx)
	undo := func(do func() error) { err = errors.Join(err, do()) }
	for key, value := range map[string]bool{targetTokens: true, confirmation: false} {
		was, err := m.setting(ctx, key, value)
		if err != nil {
			return err
		}
		if was != nil {
			defer undo(func() error { _, err := m.setting(later, key, was); return err })
		}
	}
	if err := m.target(ctx, name, token.Reveal()); err != nil {
		return err
	}
	defer undo(func() error { return m.call(later, "DELETE", "targets/"+name, nil, nil) })
	for _, s := range []struct {
		set     *int
		version string
		files   map[string][]byte
	}{
		{&t.first, "1.1.0", map[string][]byte{"app-1.1.0.tope": make([]byte, 300_000)}},
		{&t.second, "1.2.0", map[string][]byte{"app-1.2.0.tope": []byte("a newer bundle")}},
		{&t.unfit, "1.3.0", map[string][]byte{"a.tope": []byte("a"), "b.tope": []byte("b")}},
	} {
		set, module, err := m.set(ctx, name, s.version, s.files)
		*s.set = set
		if module != 0 {
			defer undo(func() error { return m.call(later, "DELETE", "softwaremodules/"+strconv.Itoa(module), nil, nil) })
		}
		if set != 0 {
			defer undo(func() error { return m.call(later, "DELETE", "distributionsets/"+strconv.Itoa(set), nil, nil) })
		}
		if err != nil {
			return err
		}
	}
	return t.scenes(ctx)
}

// scenes plays each, and says which were not as they should be.
func (t *table) scenes(ctx context.Context) error {
	for _, s := range []struct {
		name string
		play func(context.Context) error
	}{
		{"strangers", t.strangers},
		{"attributes", t.attributes},
		{"a forced assignment", t.forced},
		{"the wire", t.onTheWire},
		{"a soft assignment that fails", t.soft},
		{"download only", t.downloadOnly},
		{"a maintenance window that is shut", t.window},
		{"cancelled before it switches", t.cancelled},
		{"cancelled too late", t.tooLate},
		{"a newer assignment", t.newer},
		{"forced to quit", t.forceQuit},
		{"a set that does not fit", t.doesNotFit},
		{"confirmation", t.confirms},
		{"a thousand entries", t.thousand},
	} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.q = fleet.Question{Facts: t.q.Facts}
		if err := s.play(ctx); err != nil {
			t.differs++
			t.say("DIFFERS  %s: %v", s.name, err)
			t.tidy(ctx)
			continue
		}
		t.say("as ever  %s", s.name)
	}
	if t.differs > 0 {
		return fmt.Errorf("%d of the scenes differ from what hawkBit 1.1.0 does", t.differs)
	}
	return nil
}

// tidy ends what a scene has left, so that the next one has a server without actions.
func (t *table) tidy(ctx context.Context) {
	for range 3 {
		a, err := t.ask(ctx)
		o := a.Cancel
		if a.Offer != nil {
			o = &a.Offer.Origin
		}
		if err != nil || o == nil {
			return
		}
		_ = t.m.cancel(ctx, t.cfg.ID, o.Action, false) // it may be cancelled already
		if err := t.tell(ctx, *o, true, engine.Cancelled); err != nil {
			return
		}
	}
}

// assigned assigns a set, and is the offer that comes of it.
func (t *table) assigned(ctx context.Context, set int, way string, shut bool, do fleet.Do, forced bool) (fleet.Offer, error) {
	action, err := t.m.assign(ctx, t.cfg.ID, set, way, shut)
	if err != nil {
		return fleet.Offer{}, err
	}
	o, err := t.offered(ctx)
	switch {
	case err != nil:
		return o, err
	case o.Origin.Action != action || o.Do != do || o.Forced != forced || o.Window != shut:
		return o, fmt.Errorf("action %s is offered as %s: %s, forced: %v, window shut: %v", action, o.Origin.Action, o.Do, o.Forced, o.Window)
	}
	return o, nil
}

// shows requires how the operator sees the action, and that nothing is offered.
func (t *table) shows(ctx context.Context, o journal.Origin, state string) error {
	got, _, err := t.m.state(ctx, t.cfg.ID, o.Action)
	if err == nil && got != state {
		err = fmt.Errorf("the operator sees %q, not %q", got, state)
	}
	return errors.Join(err, t.nothing(ctx))
}

func (t *table) nothing(ctx context.Context) error {
	a, err := t.ask(ctx)
	if err == nil && (a.Offer != nil || a.Cancel != nil) {
		err = fmt.Errorf("there is still something: %s", a.Text)
	}
	return err
}

// toCancel requires that the offer is to be cancelled, and nothing is offered.
func (t *table) toCancel(ctx context.Context, o journal.Origin) error {
	a, err := t.ask(ctx)
	if err == nil && (a.Cancel == nil || a.Cancel.Action != o.Action || a.Offer != nil) {
		err = fmt.Errorf("action %s is not to be cancelled: %s", o.Action, a.Text)
	}
	return err
}

// again requires that the offer is the same, also after a restart.
func (t *table) again(ctx context.Context, o journal.Origin) error {
	for range 2 {
		a, err := t.ask(ctx)
		switch {
		case err != nil:
			return err
		case a.Offer == nil || a.Offer.Origin != o || a.Cancel != nil:
			return fmt.Errorf("action %s is not offered as before: %s", o.Action, a.Text)
		}
		if err := t.restart(); err != nil {
			return err
		}
	}
	return nil
}
