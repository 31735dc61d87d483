// Package fleetdemo plays a fleet for a spectator: twelve devices that ask a signed channel
// what to install. A canary takes a bad release, goes back and is the only one that ever
// had it, because the publisher halts it. A good release then goes out in three steps.
//
// It uses the real programs, as children: twelve daemons, two real services on each device,
// and the publisher's program. A web server in this process has the channel and the
// bundles. All of it is on loopback and below one temporary directory. It needs neither
// root nor systemd, and finds free ports itself. Each scene demands what it shows, so that
// the demo fails when the fleet does not do as it should.
//
// Nothing waits for the interval at which devices ask: "fleet check" has them ask at once.
//
// Start reading at scenes.go, which is the play; publisher.go, site.go and fleet.go set it up.
package fleetdemo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/disk"
)

// Options are the settings of the demo.
type Options struct {
	// Updater and Bundle are the device's program and the publisher's.
	Updater, Bundle string
	// Programs are the two services'.
	Programs fixtures.Programs
	// Out takes what the children print, and the headings between.
	Out io.Writer
	// Heading makes a line stand out.
	Heading func(string) string
}

// play is the demo while it runs.
type play struct {
	Options
	dir   string
	began time.Time
	*site
	*publisher
	devices []*device
	// badSent counts what was sent of the bad release until it was halted.
	badSent int
}

// Run plays the demo. An error says what did not go as it should.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "tope-fleet-")
	if err != nil {
		return err
	}
	p := &play{Options: o, dir: dir, began: time.Now()}
	err = p.setUp(ctx)
	for _, scene := range scenes() {
		if err == nil {
			err = scene(ctx, p)
		}
	}
	err = errors.Join(err, p.strike())
	if err != nil {
		return fmt.Errorf("%w; the fleet is kept in %s", err, dir)
	}
	return disk.RemoveTree(dir)
}

func (p *play) setUp(ctx context.Context) (err error) {
	if p.site, err = openSite(ctx, filepath.Join(p.dir, "site")); err != nil {
		return err
	}
	if p.publisher, err = p.newPublisher(ctx); err != nil {
		return err
	}
	return p.newFleet(ctx)
}

// strike ends everything that was started: daemons, services, web server.
func (p *play) strike() error {
	var all []error
	for _, d := range p.devices {
		all = append(all, d.stop())
	}
	if p.site != nil {
		all = append(all, p.close())
	}
	return errors.Join(all...)
}

func (p *play) say(format string, args ...any) { _, _ = fmt.Fprintf(p.Out, format+"\n", args...) }

func (p *play) heading(format string, args ...any) {
	p.say("\n%s", p.Heading(fmt.Sprintf("== "+format, args...)))
}
