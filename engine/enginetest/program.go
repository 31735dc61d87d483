package enginetest

import (
	"context"
	"errors"
	"maps"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
)

// Programs are the updaters of a world. A program's name is its path and also
// its digest. The zero Programs is a world without a committed copy.
type Programs struct {
	// Copy is the committed one, Process the one that runs.
	Copy, Process string
	// Carried has the program that each version brings.
	Carried map[string]string
	// Unfit are programs that cannot be run, Dying those that die as soon as they
	// have taken over.
	Unfit, Dying map[string]bool
	// Alone is set when the process has no supervisor: it can't be replaced.
	Alone bool
	// ReadOnly keeps the committed copy from being replaced.
	ReadOnly bool
}

func (p Programs) clone() Programs {
	p.Carried, p.Unfit, p.Dying = maps.Clone(p.Carried), maps.Clone(p.Unfit), maps.Clone(p.Dying)
	return p
}

// Becomes is exec. When the new program dies, it is also systemd, which starts
// the copy.
func (p *Programs) Becomes(t *engine.TakeOver) {
	if p.Process = t.Path; p.Dying[p.Process] {
		p.Process = p.Copy
	}
}

// program implements engine.Program.
type program struct{ w *World }

func (p program) Running() (string, error) { return p.w.Programs.Process, nil }

func (p program) Successor(_ context.Context, version string) (*engine.Successor, error) {
	c := p.w.Programs.Carried[version]
	switch {
	case c == "" || c == p.w.Programs.Process:
		return nil, nil
	case p.w.Programs.Unfit[c]:
		return nil, &steps.Error{Class: steps.Unhealthy, Code: steps.TakeoverFailed, Err: errors.New(c + " cannot be run")}
	}
	return &engine.Successor{Path: c, Digest: c, Able: !p.w.Programs.Alone}, nil
}

func (p program) Committed() (*engine.Successor, error) {
	c := p.w.Programs.Copy
	if c == p.w.Programs.Process || p.w.Programs.Alone {
		return nil, nil
	}
	return &engine.Successor{Path: c, Digest: c, Able: true}, nil
}

func (p program) Adopt(version string) (bool, error) {
	c := p.w.Programs.Carried[version]
	if c == "" || c == p.w.Programs.Copy {
		return false, nil
	}
	if p.w.Programs.ReadOnly {
		return false, errors.New("read-only file system")
	}
	err := p.w.Use("adopt "+c, func() error { p.w.Programs.Copy = c; return nil })
	return err == nil, err
}
