package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/ownprogram"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// program is engine.Program: this updater, and those that versions carry.
type program struct {
	*ownprogram.Program
	log *slog.Logger
	// native is set on the device itself: below another --root the programs may
	// be for another processor, and are not run.
	native bool
	// able is set when this process may be replaced: systemd watches over it, and
	// starts the committed copy when the program that took its place dies.
	able bool
}

// ownProgram finds this updater's copies. The manager must have been opened.
func (p *parts) ownProgram() (program, error) {
	committed, err := p.root.Path(ownprogram.Path)
	if err != nil {
		return program{}, err
	}
	return program{
		Program: ownprogram.New(committed, "/proc/self/exe", p.store), log: p.log,
		native: p.root.Dir() == "/" || p.watched,
		able:   p.watched && service.InPlace(p.manager),
	}, nil
}

// isWatched reports whether systemd starts this daemon again when it dies.
func isWatched() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// Running implements engine.Program.
func (p program) Running() (string, error) {
	c, err := p.Own()
	return c.Digest, err
}

// Successor implements engine.Program.
func (p program) Successor(ctx context.Context, version string) (*engine.Successor, error) {
	c, ok, err := p.Carried(version)
	if err != nil || !ok {
		return nil, steps.FromOS(err, "look for the updater of version "+version)
	}
	own, err := p.Own()
	if err != nil {
		return nil, steps.FromOS(err, "tell which updater runs")
	}
	if own.Digest == c.Digest {
		return nil, nil
	}
	next := &engine.Successor{Path: c.Path, Digest: c.Digest}
	if !p.native {
		return next, nil
	}
	knows, err := p.knows(ctx, c)
	if err != nil || !knows {
		return nil, err
	}
	_, there, err := p.Program.Committed()
	if err != nil {
		return nil, steps.FromOS(err, "look at the committed updater")
	}
	next.Able = p.able && there
	return next, nil
}

// knows asks a version's updater whether it can take over, and so whether it can
// be run at all.
func (p program) knows(ctx context.Context, c ownprogram.Copy) (bool, error) {
	a, err := ownprogram.Ask(ctx, c)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, steps.Stopped(ctx, "ask the version's own updater")
	case err != nil:
		return false, &steps.Error{
			Class: steps.Unhealthy, Code: steps.TakeoverFailed,
			Err:  fmt.Errorf("the version's own updater cannot be run: %w", err),
			Hint: "build it static, and for this processor",
		}
	case a.Takeover < ownprogram.Takeover:
		p.log.Warn("the version's own updater is too old to take over an update; the committed one stays", "version", a.Version, "path", c.Path)
		return false, nil
	}
	return true, nil
}

// Committed implements engine.Program.
func (p program) Committed() (*engine.Successor, error) {
	own, err := p.Own()
	if err != nil {
		return nil, err
	}
	c, ok, err := p.Program.Committed()
	if err != nil || !ok || c.Digest == own.Digest || !p.able {
		return nil, err
	}
	return &engine.Successor{Path: c.Path, Digest: c.Digest, Able: true}, nil
}

// Adopt implements engine.Program.
func (p program) Adopt(version string) (bool, error) {
	c, ok, err := p.Carried(version)
	if err != nil || !ok {
		return false, err
	}
	if own, err := p.Own(); p.native && (err != nil || own.Digest != c.Digest) {
		// A program other than this one must have said that it can be run.
		if knows, err := p.knows(context.Background(), c); err != nil || !knows {
			return false, err
		}
	}
	adopted, err := p.Replace(version)
	if adopted {
		p.log.Info("the version's updater is the committed one now", "version", version, "digest", c.Digest)
	}
	return adopted, err
}
