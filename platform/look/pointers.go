package look

import (
	"errors"
	"fmt"

	"github.com/tope/updater/platform/versions"
)

// NotALink is what Strange has for a file or directory in a pointer's place.
const NotALink = "(no link)"

// Store reads the versions directory; *versions.Store is one.
type Store interface {
	Pointers() (versions.Pointers, error)
	Raw(pointer string) (target string, ok bool, err error)
	Marker() (old string, ok bool, err error)
	State(version string) (versions.State, error)
}

// Pointers says where the pointers and the marker lead, as seen at one moment.
type Pointers struct {
	// Pointers are the versions that the pointers lead to; "" for a pointer that
	// is absent or strange.
	versions.Pointers
	// Strange has the pointers that lead to no version, by name, with the
	// target of the link, or NotALink.
	Strange map[string]string
	// Marked is set when the marker is there; Marker is the version it leads
	// back to, "" for none.
	Marker string
	Marked bool
	// StrangeMarker says what is wrong with a marker that the updater did not
	// make. It counts as absent.
	StrangeMarker error
	// States has each version that a pointer or the marker leads to, and those
	// that the caller named. One that cannot be read is Damaged: a bad block must
	// not keep a device from going to another version.
	States map[string]versions.State
	// Unreadable says why a version could not be read.
	Unreadable map[string]error
}

// PointersAt looks at the pointers, the marker and the versions they lead to, and at
// further versions that the caller names; "" names none.
func PointersAt(s Store, further ...string) (Pointers, error) {
	p := Pointers{Strange: map[string]string{}, States: map[string]versions.State{}, Unreadable: map[string]error{}}
	var err error
	if p.Pointers, p.Strange, err = Targets(s); err != nil {
		return p, err
	}
	switch p.Marker, p.Marked, err = s.Marker(); {
	case errors.Is(err, versions.ErrForeign):
		p.Marker, p.Marked, p.StrangeMarker = "", false, err
	case err != nil:
		return p, fmt.Errorf("cannot read the marker: %w", err)
	}
	for _, v := range append([]string{p.Current, p.Previous, p.Factory, p.Marker}, further...) {
		if _, known := p.States[v]; known || v == "" {
			continue
		}
		if p.States[v], err = s.State(v); err != nil {
			p.Unreadable[v] = err
		}
	}
	return p, nil
}

// Linked reads the links in the versions directory; *versions.Store is one.
type Linked interface {
	Pointers() (versions.Pointers, error)
	Raw(pointer string) (target string, ok bool, err error)
}

// Targets says where the pointers lead, and which of them are strange (see Pointers).
// It reads three links and nothing else, for those who ask often.
func Targets(s Linked) (p versions.Pointers, strange map[string]string, err error) {
	strange = map[string]string{}
	if p, err = s.Pointers(); err != nil {
		return p, strange, fmt.Errorf("cannot read the pointers: %w", err)
	}
	for _, one := range (Pointers{Pointers: p}).All() {
		raw, there, err := s.Raw(one.Name)
		switch {
		case errors.Is(err, versions.ErrForeign):
			strange[one.Name] = NotALink
		case err != nil:
			return p, strange, fmt.Errorf("cannot read the pointer %s: %w", one.Name, err)
		case there && one.Version == "":
			strange[one.Name] = raw
		}
	}
	return p, strange, nil
}

// Pointer is one of the three, with the version it leads to.
type Pointer struct{ Name, Version string }

// All are the three pointers in their order: current, previous, factory.
func (p Pointers) All() []Pointer {
	return []Pointer{{versions.Current, p.Current}, {versions.Previous, p.Previous}, {versions.Factory, p.Factory}}
}

// UpdatedBefore reports a trace of an update: its marker, or a previous version
// that is not the current one.
func (p Pointers) UpdatedBefore() bool {
	return p.Marked || p.Previous != "" && p.Previous != p.Current
}
