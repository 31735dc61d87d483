package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// World is the device: its pointers, versions, marker and running services.
// It implements engine.Versions, engine.Keeper and engine.Gate.
type World struct {
	*Power
	Clock *Clock

	P       versions.Pointers
	Raws    map[string]string // pointers that lead to no version name
	States  map[string]versions.State
	Digests map[string]string // digests in the versions' manifests
	Epochs  map[string]int64  // epochs in the versions' manifests
	Marked  bool
	MarkAt  string
	// Running is the version the services run from; Started is when they were started.
	Running string
	Started steps.Moment
	// Sick are versions whose gate fails. Dead are those that cannot even be started.
	Sick, Dead map[string]bool
	// Programs are the updaters.
	Programs Programs
	// Files are leftovers: downloads, stagings. Tidy and Undo remove them.
	Files map[string]bool
}

// NewWorld is a device with A current, P previous and F factory, all whole;
// N is in no directory yet.
func NewWorld() *World {
	w := &World{
		Power: &Power{}, Clock: NewClock(), Raws: map[string]string{},
		P:       versions.Pointers{Current: "1.0.0", Previous: "0.9.0", Factory: "0.5.0"},
		States:  map[string]versions.State{"1.0.0": versions.Complete, "0.9.0": versions.Complete, "0.5.0": versions.Complete},
		Digests: map[string]string{"1.0.0": "md5:a"}, Running: "1.0.0",
		Sick: map[string]bool{}, Dead: map[string]bool{}, Files: map[string]bool{},
	}
	return w
}

// Clone is an independent world in the same state, with its power on.
func (w *World) Clone() *World {
	n := *w
	n.Power, n.Clock = &Power{}, w.Clock.Clone()
	n.Raws, n.States, n.Digests, n.Epochs = maps.Clone(w.Raws), maps.Clone(w.States), maps.Clone(w.Digests), maps.Clone(w.Epochs)
	n.Sick, n.Dead, n.Files = maps.Clone(w.Sick), maps.Clone(w.Dead), maps.Clone(w.Files)
	n.Programs = w.Programs.clone()
	return &n
}

// StartAll implements engine.Starter.
func (w *World) StartAll(context.Context, *steps.Task) error {
	if w.Running != "" || w.P.Current == "" || w.Dead[w.P.Current] {
		return nil
	}
	return w.Use("start "+w.P.Current, func() error { w.InitStarts(); return nil })
}

// Reboot ends every process. The services come up from the version that current
// leads to, as an init system starts them, after recovery has run.
func (w *World) Reboot() {
	w.Clock.Reboot()
	w.Running, w.Started = "", steps.Moment{}
}

// InitStarts is the init system starting the services.
func (w *World) InitStarts() {
	if v := w.P.Current; w.States[v].Usable() && !w.Dead[v] {
		w.Running, w.Started = v, steps.Moment{Boot: w.Clock.Boot(), Mono: w.Clock.Monotonic()}
	}
}

// Pointers implements engine.Versions.
func (w *World) Pointers() (versions.Pointers, error) { return w.P, nil }

// Raw implements engine.Versions.
func (w *World) Raw(pointer string) (string, bool, error) {
	if raw, ok := w.Raws[pointer]; ok {
		return raw, true, nil
	}
	v := *w.pointer(pointer)
	return "v" + v, v != "", nil
}

func (w *World) pointer(name string) *string {
	switch name {
	case versions.Current:
		return &w.P.Current
	case versions.Previous:
		return &w.P.Previous
	}
	return &w.P.Factory
}

// State implements engine.Versions.
func (w *World) State(version string) (versions.State, error) {
	if s, ok := w.States[version]; ok {
		return s, nil
	}
	return versions.Missing, nil
}

// Digest implements engine.Versions.
func (w *World) Digest(version string) (string, error) { return w.Digests[version], nil }

// Epoch implements engine.Versions.
func (w *World) Epoch(version string) (int64, error) { return w.Epochs[version], nil }

// Point implements engine.Versions.
func (w *World) Point(pointer, version string) error {
	return w.Use("point "+pointer+" "+version, func() error {
		if !w.States[version].Usable() {
			return fmt.Errorf("version %q is not whole", version)
		}
		*w.pointer(pointer) = version
		delete(w.Raws, pointer)
		return nil
	})
}

// Unpoint implements engine.Versions.
func (w *World) Unpoint(pointer string) error {
	return w.Use("unpoint "+pointer, func() error {
		*w.pointer(pointer) = ""
		delete(w.Raws, pointer)
		return nil
	})
}

// Mark implements engine.Versions.
func (w *World) Mark(old string) error {
	return w.Use("mark "+old, func() error { w.Marked, w.MarkAt = true, old; return nil })
}

// Unmark implements engine.Versions.
func (w *World) Unmark() error {
	if !w.Marked {
		return nil
	}
	return w.Use("unmark", func() error { w.Marked, w.MarkAt = false, ""; return nil })
}

// Marker implements engine.Versions.
func (w *World) Marker() (string, bool, error) { return w.MarkAt, w.Marked, nil }

// EnsureLinks implements engine.Versions.
func (w *World) EnsureLinks(string) ([]string, error) { return nil, nil }

// WorkDir implements engine.Keeper.
func (w *World) WorkDir(update string) string { return "/work/" + update }

// MakeWorkDir implements engine.Keeper.
func (w *World) MakeWorkDir(string) error { return nil }

// DropWorkDir implements engine.Keeper.
func (w *World) DropWorkDir(string) error { return nil }

// Tidy implements engine.Keeper: it removes leftovers, and versions no pointer
// leads to.
func (w *World) Tidy(_ context.Context, n engine.Needs) ([]string, error) {
	var removed []string
	for _, f := range slices.Sorted(maps.Keys(w.Files)) {
		if err := w.Use("remove "+f, func() error { delete(w.Files, f); return nil }); err != nil {
			return removed, err
		}
		removed = append(removed, f)
	}
	for _, v := range slices.Sorted(maps.Keys(w.States)) {
		if v == w.P.Current || v == w.P.Previous || v == w.P.Factory || slices.Contains(n.Versions, v) {
			continue
		}
		if err := w.Use("prune "+v, func() error { delete(w.States, v); return nil }); err != nil {
			return removed, err
		}
		removed = append(removed, v)
	}
	return removed, nil
}

// Whole reports whether current leads to a whole version.
func (w *World) Whole() bool { return w.States[w.P.Current].Usable() }

// String is the world in one line, for comparing two of them.
func (w *World) String() string {
	var states []string
	for v, s := range w.States {
		states = append(states, v+"="+string(s))
	}
	sort.Strings(states)
	b, _ := json.Marshal(w.P)
	return fmt.Sprintf("%s raws=%v versions=%v marked=%v(%s) running=%s files=%v", b, w.Raws, states, w.Marked, w.MarkAt, w.Running, slices.Sorted(maps.Keys(w.Files)))
}
