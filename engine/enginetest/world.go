package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// World is the device: its pointers, versions, marker and running services.
// It implements engine.Versions, engine.Keeper and engine.Gate.
type World struct {
	*Power
	Clock *Clock

	// links guards P as far as the engine looks at it while a step changes it: it shows the
	// pointers with each record, and whoever carries out offers journals some meanwhile.
	links   *sync.Mutex
	P       versions.Pointers
	Raws    map[string]string // pointers that lead to no version name
	States  map[string]versions.State
	Digests map[string]string // digests in the versions' manifests
	Epochs  map[string]int64  // epochs in the versions' manifests
	Signers map[string]string // keys in the versions' manifests
	Marked  bool
	MarkAt  string
	// Forgetful is set for a device on which a process was killed, not the power cut:
	// at the next Reboot the pointers and the marker are as they were last synced.
	Forgetful bool
	synced    names
	// Running is the version the services run from; Started is when they were started.
	Running string
	Started steps.Moment
	// Sick are versions whose gate fails. Dead are those that cannot even be started.
	Sick, Dead map[string]bool
	// Needs is how long the gate's check takes to come true, of versions of which that
	// is told. Its limit is 30 s, and ten times that on the way back.
	Needs map[string]time.Duration
	// Unfit are the preflight's findings, by version.
	Unfit map[string][]steps.Finding
	// Programs are the updaters.
	Programs Programs
	// Files are leftovers: downloads, stagings. Tidy and Undo remove them.
	Files map[string]bool
	// Sources are the URLs that are kept, by update.
	Sources map[string]source.URL
}

// names are the links in the versions directory, which one sync makes durable together.
type names struct {
	p      versions.Pointers
	marked bool
	markAt string
}

func (w *World) names() names { return names{w.P, w.Marked, w.MarkAt} }

// rename is an effect on the links, and the sync that follows it. A cut after the effect
// comes before the sync.
func (w *World) rename(name string, effect func() error) error {
	before := w.names()
	if w.synced == (names{}) {
		w.synced = before // as the test has put the device
	}
	if err := w.Use(name, effect); err != nil {
		return err
	}
	w.synced = w.names()
	return nil
}

// Sync implements engine.Versions.
func (w *World) Sync() error {
	if w.Off() {
		return ErrOff
	}
	w.synced = w.names()
	return nil
}

// NewWorld is a device with A current, P previous and F factory, all whole;
// N is in no directory yet.
func NewWorld() *World {
	w := &World{
		Power: &Power{}, Clock: NewClock(), Raws: map[string]string{}, links: &sync.Mutex{},
		P:       versions.Pointers{Current: "1.0.0", Previous: "0.9.0", Factory: "0.5.0"},
		States:  map[string]versions.State{"1.0.0": versions.Complete, "0.9.0": versions.Complete, "0.5.0": versions.Complete},
		Digests: map[string]string{"1.0.0": "md5:a"}, Running: "1.0.0",
		Sick: map[string]bool{}, Dead: map[string]bool{}, Needs: map[string]time.Duration{}, Unfit: map[string][]steps.Finding{}, Files: map[string]bool{}, Sources: map[string]source.URL{},
	}
	return w
}

// Clone is an independent world in the same state, with its power on.
func (w *World) Clone() *World {
	n := *w
	n.Power, n.Clock, n.links = &Power{}, w.Clock.Clone(), &sync.Mutex{}
	n.Raws, n.States, n.Digests, n.Epochs = maps.Clone(w.Raws), maps.Clone(w.States), maps.Clone(w.Digests), maps.Clone(w.Epochs)
	n.Sick, n.Dead, n.Files = maps.Clone(w.Sick), maps.Clone(w.Dead), maps.Clone(w.Files)
	n.Needs, n.Sources, n.Signers = maps.Clone(w.Needs), maps.Clone(w.Sources), maps.Clone(w.Signers)
	n.Unfit = maps.Clone(w.Unfit)
	n.Programs = w.Programs.clone()
	return &n
}

// StartAll implements engine.Starter.
func (w *World) StartAll(_ context.Context, t *steps.Task) error {
	if t.Target.Current != w.P.Current {
		return fmt.Errorf("the services of %q are to be started, but current leads to %q", t.Target.Current, w.P.Current)
	}
	if w.Running != "" || w.P.Current == "" || w.Dead[w.P.Current] {
		return nil
	}
	return w.Use("start "+w.P.Current, func() error { w.InitStarts(); return nil })
}

// StartAgain implements engine.Starter.
func (w *World) StartAgain(ctx context.Context, t *steps.Task) error { return w.StartAll(ctx, t) }

// Reboot ends every process. The services come up from the version that current
// leads to, as an init system starts them, after recovery has run.
func (w *World) Reboot() {
	w.Clock.Reboot()
	w.Running, w.Started = "", steps.Moment{}
	if w.Forgetful && w.synced != (names{}) {
		w.P, w.Marked, w.MarkAt = w.synced.p, w.synced.marked, w.synced.markAt
	}
	w.Forgetful = false
}

// InitStarts is the init system starting the services.
func (w *World) InitStarts() {
	if v := w.P.Current; w.States[v].Usable() && !w.Dead[v] {
		w.Running, w.Started = v, steps.Moment{Boot: w.Clock.Boot(), Mono: w.Clock.Monotonic()}
	}
}

// Pointers implements engine.Versions.
func (w *World) Pointers() (versions.Pointers, error) {
	w.links.Lock()
	defer w.links.Unlock()
	return w.P, nil
}

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

// SignedBy implements engine.Versions.
func (w *World) SignedBy(version string) (string, error) { return w.Signers[version], nil }

// Epoch implements engine.Versions.
func (w *World) Epoch(version string) (int64, error) { return w.Epochs[version], nil }

// Point implements engine.Versions.
func (w *World) Point(pointer, version string) error {
	return w.rename("point "+pointer+" "+version, func() error {
		if !w.States[version].Usable() {
			return fmt.Errorf("version %q is not whole", version)
		}
		w.links.Lock()
		defer w.links.Unlock()
		*w.pointer(pointer) = version
		delete(w.Raws, pointer)
		return nil
	})
}

// Unpoint implements engine.Versions.
func (w *World) Unpoint(pointer string) error {
	return w.rename("unpoint "+pointer, func() error {
		w.links.Lock()
		defer w.links.Unlock()
		*w.pointer(pointer) = ""
		delete(w.Raws, pointer)
		return nil
	})
}

// Mark implements engine.Versions.
func (w *World) Mark(old string) error {
	return w.rename("mark "+old, func() error { w.Marked, w.MarkAt = true, old; return nil })
}

// Unmark implements engine.Versions.
func (w *World) Unmark() error {
	if !w.Marked {
		return nil
	}
	return w.rename("unmark", func() error { w.Marked, w.MarkAt = false, ""; return nil })
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
func (w *World) DropWorkDir(update string) error {
	if _, err := w.Source(update); err != nil {
		return nil //nolint:nilerr // there is nothing in it
	}
	return w.Use("remove the source", func() error { delete(w.Sources, update); return nil })
}

// KeepSource implements engine.Keeper.
func (w *World) KeepSource(update string, url source.URL) error {
	return w.Use("keep the source", func() error { w.Sources[update] = url; return nil })
}

// Source implements engine.Keeper.
func (w *World) Source(update string) (source.URL, error) {
	url, ok := w.Sources[update]
	if !ok {
		return url, fs.ErrNotExist
	}
	return url, nil
}

// Tidy implements engine.Keeper: it removes leftovers, and versions no pointer
// leads to.
func (w *World) Tidy(_ context.Context, n engine.Needs) ([]string, error) {
	var removed []string
	for _, u := range slices.Sorted(maps.Keys(w.Sources)) {
		if u == n.Update || u == n.Next {
			continue
		}
		if err := w.Use("remove the source", func() error { delete(w.Sources, u); return nil }); err != nil {
			return removed, err
		}
	}
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
