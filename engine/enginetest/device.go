package enginetest

import (
	"fmt"
	"strings"

	"github.com/tope/updater/engine"
)

// Device is a world with a journal and a server: all that survives a cut.
type Device struct {
	*World
	J      *Journal
	Bundle Bundle
	Memory *Memory
	// OutOfMemory says that the kernel has killed the process before the next one, because
	// memory was short. The next one's recovery takes it back.
	OutOfMemory bool
	// Fleet is whoever is told of updates, and carries offers on; nil for nobody.
	Fleet *Fleet
}

// NewDevice is NewWorld's device with an empty journal and a server that
// offers 1.1.0.
func NewDevice() *Device { return NewDeviceAt(NewClock()) }

// NewDeviceAt is NewDevice with a clock of the test's.
func NewDeviceAt(c *Clock) *Device {
	w := NewWorld()
	w.Clock = c
	return &Device{World: w, J: NewJournal(w), Bundle: Bundle{Version: "1.1.0", Digest: "md5:b"}, Memory: &Memory{}}
}

// Clone is an independent device in the same state, with its power on: for
// exploring several futures from one point.
func (d *Device) Clone() *Device {
	w := d.World.Clone()
	return &Device{World: w, J: &Journal{Journal: d.J.Clone(w.Clock), power: w.Power, clock: w.Clock, Writes: d.J.Writes}, Bundle: d.Bundle, Memory: d.Memory.clone(), Fleet: d.Fleet.clone()}
}

func (d *Device) ranOutOfMemory() bool {
	was := d.OutOfMemory
	d.OutOfMemory = false
	return was
}

// Engine is a new process's engine.
func (d *Device) Engine(changes ...Change) (*engine.Engine, error) {
	cfg := engine.Config{Journal: d.J, Versions: d, Keeper: d, Gate: d, Starter: d, Steps: d.Steps(&d.Bundle), Clock: d.Clock, Memory: d.Memory, OutOfMemory: d.ranOutOfMemory}
	if d.Programs.Copy != "" {
		cfg.Program = program{d.World}
	}
	if d.Fleet != nil && d.Fleet.Change != nil {
		d.Fleet.Change(&cfg)
	}
	for _, change := range changes {
		change(&cfg)
	}
	return engine.New(cfg)
}

// Trace is the journal's story in one line a record, without times: two equal
// runs have the same trace.
func (d *Device) Trace() string {
	var s strings.Builder
	for _, r := range d.J.All() {
		fmt.Fprintf(&s, "%s %s %s %s→%s %s %s\n", r.Phase, r.Step, r.Trigger, r.From, r.To, r.Rule, r.Why)
	}
	return s.String()
}
