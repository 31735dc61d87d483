// Package enginetest is a device made of maps, for testing the engine: real
// engine, real table, fake world. Every effect on the world and every write of
// the journal goes through one Power, which can be cut before or after any of
// them. After the cut, the device has exactly the effects from before it.
//
// A Device is what survives a cut, a Life is one process on it. Start reading
// in life.go.
//
// Shipped programs may not import it.
package enginetest

import (
	"errors"
	"strings"
	"sync"

	"github.com/tope/updater/journal"
)

// ErrOff is the error of every effect once the power is gone.
var ErrOff = errors.New("the power is off")

// Cut is where the power goes: before or after the N-th effect, counted from 1.
// With At, only effects whose name begins with At are counted. The zero Cut
// never comes.
type Cut struct {
	N     int
	At    string
	After bool
}

// Effect is one thing that happened: an effect on the world, by its name, or a
// transaction of the journal, by its records.
type Effect struct {
	name string
	// Records are a transaction's; nil for an effect on the world.
	Records []journal.Record
	// Cut is set when the power went at this effect; Lost, when it did not happen.
	Cut, Lost bool
}

// Name is the name that a Cut's At is compared with: "point current 1.1.0", or
// "journal Staging→Switching".
func (e Effect) Name() string {
	if e.Records == nil {
		return e.name
	}
	name := "journal"
	for _, r := range e.Records {
		if r.To != "" {
			name += " " + string(r.From) + "→" + string(r.To)
		} else {
			name += " " + string(r.Phase) + ":" + string(r.Step) + string(r.Rule)
		}
	}
	return name
}

// Power lets effects happen and counts them.
type Power struct {
	mu    sync.Mutex
	cut   Cut
	count int // of the effects that the cut counts
	off   bool
	all   []Effect
	// Forgetful keeps no list of effects: for devices that live for long.
	Forgetful bool
}

// On turns the power on. It goes again at cut.
func (p *Power) On(cut Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.count, p.off, p.all = cut, 0, false, nil
}

// Use does one effect, if there is power for it.
func (p *Power) Use(name string, effect func() error) error {
	return p.use(Effect{name: name}, effect)
}

func (p *Power) use(e Effect, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return ErrOff
	}
	if p.cut.N > 0 && (p.cut.At == "" || strings.HasPrefix(e.Name(), p.cut.At)) {
		p.count++
		e.Cut = p.count == p.cut.N
	}
	if e.Cut && !p.cut.After {
		e.Lost, p.off = true, true
		p.note(e)
		return ErrOff
	}
	err := effect()
	p.note(e)
	if e.Cut {
		p.off = true
		return ErrOff
	}
	return err
}

func (p *Power) note(e Effect) {
	if !p.Forgetful {
		p.all = append(p.all, e)
	}
}

// Fail turns the power off now, between two effects.
func (p *Power) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
}

// Off reports whether the cut has come.
func (p *Power) Off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

// Effects lists the effects since On, in order; the last is the one at which
// the power went.
func (p *Power) Effects() []Effect {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Effect(nil), p.all...)
}

// Count is how many effects happened since On.
func (p *Power) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}
