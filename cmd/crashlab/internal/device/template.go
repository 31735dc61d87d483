//go:build linux && amd64

package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"aead.dev/minisign"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
)

// New makes n devices that stand at the beginning of a flow. The updater itself
// makes the first state: it installs the factory's version, makes it the factory
// version, and installs the one after it.
func (l *Lab) New(ctx context.Context, f Flow, n int) ([]sweep.Bench, error) {
	first, err := l.device(f, 0)
	if err != nil {
		return nil, err
	}
	if err := first.born(ctx); err != nil {
		return nil, fmt.Errorf("prepare a device for the flow %s: %w", f.Name, err)
	}
	benches := []sweep.Bench{first}
	for i := 1; i < n; i++ {
		d, err := l.device(f, i)
		if err != nil {
			return nil, err
		}
		d.base = first.base
		benches = append(benches, d)
	}
	return benches, nil
}

func (l *Lab) device(f Flow, i int) (*Device, error) {
	dir := filepath.Join(l.Dir, f.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Device{
		lab: l, flow: f, template: filepath.Join(dir, "template"),
		root: filepath.Join(dir, fmt.Sprintf("device-%d", i)), out: filepath.Join(dir, fmt.Sprintf("printed-%d", i)),
	}, nil
}

// born makes the template.
func (d *Device) born(ctx context.Context) error {
	for _, p := range []string{"opt/tope/shared", "usr/local/bin", "var/lib", "etc", "run", filepath.Dir(committedUpdater), filepath.Dir(checker)[1:], filepath.Dir(Interpreter)[1:]} {
		if err := os.MkdirAll(filepath.Join(d.root, p), 0o755); err != nil {
			return err
		}
	}
	// The factory's programs must find their interpreter on the device.
	if err := os.WriteFile(filepath.Join(d.root, Interpreter), nil, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.root, committedUpdater), proven(), 0o755); err != nil {
		return err
	}
	script := "#!" + Interpreter + " " + checkerArg + "\n"
	if err := os.WriteFile(filepath.Join(d.root, checker), []byte(script), 0o755); err != nil {
		return err
	}
	if !d.flow.Empty {
		if err := d.furnish(ctx); err != nil {
			return err
		}
	}
	if d.flow.Signed {
		if err := d.trust(); err != nil {
			return err
		}
	}
	if err := sweep.RemoveTree(filepath.Join(d.root, "run")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(d.root, "run"), 0o755); err != nil {
		return err
	}
	var err error
	if d.base, err = d.look(); err != nil {
		return err
	}
	return sweep.CopyTree(d.root, d.template)
}

// trust gives the device its key; from then on it takes no legacy packages. The
// files to spoil are spoilt now, by a write that the updater knows nothing of.
func (d *Device) trust() error {
	key, err := publisher()
	if err != nil {
		return err
	}
	public, err := key.Public().(minisign.PublicKey).MarshalText()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.root, keysDir), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.root, keysDir, "publisher.pub"), append(public, '\n'), 0o644); err != nil {
		return err
	}
	r := d.flow.before()
	for _, p := range r.Spoilt {
		at := filepath.Join(d.root, versionsDir, "v"+r.Version, p)
		if err := os.WriteFile(at, r.installed()[p], 0o444); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) furnish(ctx context.Context) error {
	m, err := d.boot(sweep.Watch{})
	if err != nil {
		return err
	}
	defer m.Off()
	for _, args := range [][]string{
		{"install", url(factory())},
		{"factory", "create", factory().Version},
		{"install", url(d.flow.before())},
	} {
		exit, err := m.updater(ctx, false, args...)
		if err != nil {
			return err
		}
		if exit != 0 {
			return fmt.Errorf("%v ended with %d: %s", args, exit, d.printed())
		}
	}
	return nil
}
