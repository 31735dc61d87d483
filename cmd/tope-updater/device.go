package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/bystander"
	"github.com/tope/updater/platform/service/embedded"
	"github.com/tope/updater/platform/service/systemd"
	"github.com/tope/updater/platform/versions"
)

// device has the configuration and the paths, which every verb needs. It opens
// things on request and keeps nothing open itself. Most verbs need no more, and
// recover at boot must be quick.
type device struct {
	cfg   config.Config
	root  disk.Root
	clock clock.Clock
	log   *slog.Logger
	// configFile is the host path where the configuration is, or would be; load finds and
	// reads it.
	configFile string
	load       func() (path string, c config.Config, err error)
}

// device finds the device. Its configuration is the one below --root; a file that
// --config names is this system's, and has to be there.
func (a *app) device() (*device, error) {
	root, err := disk.NewRoot(a.root)
	if err != nil {
		return nil, err
	}
	d := &device{root: root, clock: clock.System(), log: slog.New(slog.DiscardHandler)}
	d.load = func() (string, config.Config, error) {
		if a.configFile != "" {
			c, err := config.Load(a.configFile)
			return a.configFile, c, err
		}
		// A link may lead elsewhere by the next reload.
		host, err := root.Resolve(config.Path)
		if err != nil {
			return "", config.Config{}, fmt.Errorf("cannot find the configuration: %w", err)
		}
		c, err := config.LoadDefault(host)
		return host, c, err
	}
	if d.configFile, d.cfg, err = d.load(); err != nil {
		return nil, err
	}
	return d, nil
}

// rests reports whether the device does not run: its services are units of a systemd
// that is not this system's.
func (d *device) rests() bool {
	return d.root.Dir() != "/" && d.cfg.Services.Manager == config.Systemd
}

// socket is the host path of the daemon's socket.
func (d *device) socket() (string, error) {
	path, err := d.root.Resolve(d.cfg.Paths.Socket())
	if err != nil {
		return "", fmt.Errorf("cannot find the socket: %w", err)
	}
	return path, nil
}

// openVersions finds the versions directory; create makes one that is missing.
func (d *device) openVersions(create bool) (*versions.Store, error) {
	p := d.cfg.Paths
	return versions.Open(versions.Config{
		Root: d.root, Versions: p.Versions, Services: p.Services, Bin: p.Bin, Shared: p.Shared, Clock: d.clock, Create: create,
	})
}

// openManager makes the service manager that the configuration names. No other
// code in this program knows managers by name: the abilities of a manager tell
// what it can do (package service). No connection is made yet.
func (d *device) openManager() (service.Manager, error) {
	switch d.cfg.Services.Manager {
	case config.None:
		return bystander.Manager{}, nil
	case config.Embedded:
		run, err := d.root.Resolve(d.cfg.Paths.Run)
		if err != nil {
			return nil, err
		}
		return embedded.New(embedded.Config{
			RunDir: filepath.Join(run, "services"), Resolve: d.root.Resolve, Clock: d.clock, Log: d.log,
		})
	}
	if d.rests() {
		return systemd.Resting{}, nil
	}
	return systemd.New(systemd.Config{Clock: d.clock, Log: d.log, StartBound: time.Duration(d.cfg.Recovery.StartBound)}), nil
}

// web is the way to other machines that the configuration names.
func (d *device) web() *fetch.Transport {
	return fetch.New(fetch.Config{Settings: d.cfg.Download.Reach(), Clock: d.clock, Resolve: d.root.Resolve})
}

// lockPatience is how long a verb waits for another process to let go of the journal.
const lockPatience = 5 * time.Second

// opening says how a journal is opened for writing.
type opening struct {
	// create makes a missing journal, and puts a damaged one aside.
	create bool
	// doubt: the journal has failed under this process, so its whole chain is verified.
	doubt bool
	// admit is asked, with the journal open and locked, before the program becomes
	// the updater; nil admits everybody.
	admit func(*engine.Engine) error
	// hasty: when another process writes the journal, fail at once. Readers do not
	// make it fail (package journal).
	hasty bool
}

func (d *device) openJournal(how opening) (*journal.Journal, error) {
	path, opt, err := d.journal()
	if err != nil {
		return nil, err
	}
	opt.Create, opt.Verify = how.create, how.doubt
	if how.hasty {
		opt.LockTimeout = 0
	}
	if how.create {
		dir, err := d.root.Resolve(d.cfg.Paths.State)
		if err != nil {
			return nil, err
		}
		if err := disk.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	j, err := journal.Open(path, opt)
	if errors.Is(err, journal.ErrLocked) {
		return nil, fmt.Errorf("%w: %w; if it is the daemon, stop it first: systemctl stop tope-updater", errLocked, err)
	}
	return j, err
}

// openReader opens the journal for reading, beside the process that writes it.
func (d *device) openReader() (*journal.Reader, error) {
	path, opt, err := d.journal()
	if err != nil {
		return nil, err
	}
	return journal.OpenReader(path, opt)
}

// journal returns the journal's path and options.
func (d *device) journal() (path string, opt journal.Options, err error) {
	path, err = d.root.Path(d.cfg.Paths.Journal())
	return path, journal.Options{Clock: d.clock, KeepUpdates: d.cfg.Retention.Updates, LockTimeout: lockPatience, Log: d.log}, err
}
