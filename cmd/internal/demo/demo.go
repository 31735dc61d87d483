// Package demo plays a device's life for a spectator: a good update, a bad one
// that rolls back by itself, a kill -9 in the middle of a third, and the
// journal's account of it all.
//
// It uses the real programs, as children: the given updater, two real services
// and an HTTP server for the packages, all on loopback and below one temporary
// directory. It needs neither root nor systemd, and finds free ports itself. It
// proves nothing beyond the tests; it shows what they prove.
//
// Start reading at scenes.go, which is the play; stage.go sets it up.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// Options are the settings of the demo.
type Options struct {
	// Updater is the updater's program.
	Updater string
	// Programs is the directory that has the two services' programs.
	Programs string
	// Keep leaves the directory to play with.
	Keep bool
	// Out takes what the children print, and the headings between.
	Out io.Writer
	// Heading makes a line stand out.
	Heading func(string) string
}

// Run plays the demo. An error says which scene did not go as it should.
func Run(ctx context.Context, o Options) (err error) {
	programs, err := fixtures.Prebuilt(o.Programs)
	if err != nil {
		return fmt.Errorf("cannot read the services' programs: %w; \"make demo\" builds them", err)
	}
	dir, err := os.MkdirTemp("", "tope-demo-")
	if err != nil {
		return err
	}
	d, err := o.setUp(ctx, dir, programs)
	if err == nil {
		for _, scene := range scenes() {
			if err = scene(ctx, d); err != nil {
				break
			}
		}
	}
	if d != nil {
		d.strike()
	}
	if err != nil {
		return fmt.Errorf("%w; the device is kept in %s", err, dir)
	}
	if o.Keep {
		d.howToPlay()
		return nil
	}
	return removeAll(dir)
}

// removeAll deletes versions too, which have no write bits.
func removeAll(dir string) error {
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
