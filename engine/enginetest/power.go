// Package enginetest is a device made of maps, for testing the engine: real
// engine, real table, fake world. Every effect on the world and every write of
// the journal goes through one Power, which can be cut before or after any of
// them; what was done before the cut is there after it, what was not is not.
//
// Shipped programs may not import it.
package enginetest

import (
	"errors"
	"sync"
)

// ErrOff is what every effect answers once the power is gone.
var ErrOff = errors.New("the power is off")

// Cut is where the power goes: at the N-th effect, counted from 1, before it
// or after it. The zero Cut never comes.
type Cut struct {
	N     int
	After bool
}

// Power lets effects happen and counts them.
type Power struct {
	mu    sync.Mutex
	cut   Cut
	count int
	off   bool
	names []string
}

// On turns the power on, to go at cut.
func (p *Power) On(cut Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.count, p.off, p.names = cut, 0, false, nil
}

// Use does one effect, if there is power for it.
func (p *Power) Use(name string, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return ErrOff
	}
	p.count++
	if p.count == p.cut.N && !p.cut.After {
		p.off = true
		p.names = append(p.names, "cut before "+name)
		return ErrOff
	}
	err := effect()
	p.names = append(p.names, name)
	if p.count == p.cut.N {
		p.off = true
		p.names = append(p.names, "cut")
		return ErrOff
	}
	return err
}

// Off reports whether the cut has come.
func (p *Power) Off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

// Effects lists what happened since On, in order.
func (p *Power) Effects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.names...)
}
