package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
)

// device is the configuration and the parts of the program that cost nothing
// to make. Each verb opens what it needs beyond that, and no more: recover at
// boot must be quick.
type device struct {
	cfg   config.Config
	root  disk.Root
	clock clock.Clock
	log   *slog.Logger
	store *versions.Store
	// configFile is where the configuration is, or would be.
	configFile string
	// doubt is set when the journal has failed under this process: it is then
	// opened with its whole chain verified.
	doubt bool
	// serving is set in the daemon.
	serving bool
	// hasty is set when another process's hold on the journal is not waited for.
	hasty bool
	// trusted is what lookAtTrust has seen last.
	trusted atomic.Pointer[string]
}

// lockPatience is how long a verb waits for another process to let go of the journal.
const lockPatience = 5 * time.Second

func (a *app) device() (*device, error) {
	cfg, err := config.Load(a.configFile)
	if err != nil {
		return nil, err
	}
	root, err := disk.NewRoot(a.root)
	if err != nil {
		return nil, err
	}
	file := a.configFile
	if file == "" {
		file = config.Path
	}
	return &device{configFile: file, cfg: cfg, root: root, clock: clock.System(), log: slog.New(slog.DiscardHandler)}, nil
}

// openStore finds the versions directory; create makes one that is missing.
func (d *device) openStore(create bool) (err error) {
	p := d.cfg.Paths
	d.store, err = versions.Open(versions.Config{
		Root: d.root, Versions: p.Versions, Services: p.Services, Bin: p.Bin, Shared: p.Shared, Clock: d.clock, Create: create,
	})
	return err
}

func (d *device) journalPath() (string, error) { return d.root.Path(d.cfg.Paths.Journal()) }

func (d *device) journalOptions() journal.Options {
	patience := lockPatience
	if d.hasty {
		patience = 0
	}
	return journal.Options{Clock: d.clock, KeepUpdates: d.cfg.Retention.Updates, LockTimeout: patience, Log: d.log, Verify: d.doubt}
}

// openJournal opens the journal for writing. With create, a missing one is
// made and a damaged one put aside.
func (d *device) openJournal(create bool) (*journal.Journal, error) {
	path, err := d.journalPath()
	if err != nil {
		return nil, err
	}
	opt := d.journalOptions()
	opt.Create = create
	if create {
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

func (d *device) openReader() (*journal.Reader, error) {
	path, err := d.journalPath()
	if err != nil {
		return nil, err
	}
	return journal.OpenReader(path, d.journalOptions())
}

// updater is a running program's parts: what serve and in-process verbs share.
type updater struct {
	engine  *engine.Engine
	journal *journal.Journal
	manager service.Manager
}

func (u *updater) close() error { return errors.Join(u.manager.Close(), u.journal.Close()) }

// start opens everything and recovers, as at a daemon's start. The engine does
// not run yet.
func (d *device) start(ctx context.Context, create bool) (_ *updater, err error) {
	if err := d.openStore(create); err != nil {
		return nil, err
	}
	u := &updater{}
	if u.journal, err = d.openJournal(create); err != nil {
		return nil, err
	}
	if u.manager, err = d.openManager(); err != nil {
		return nil, errors.Join(err, u.journal.Close())
	}
	if u.engine, err = d.newEngine(u.journal, u.manager); err != nil {
		return nil, errors.Join(err, u.close())
	}
	if err := d.noteLoss(u); err != nil {
		return nil, errors.Join(err, u.close())
	}
	report, err := u.engine.Recover(ctx, engine.Daemon)
	if err != nil {
		return nil, errors.Join(err, u.close())
	}
	d.logReport(report)
	if err := d.followUnits(ctx, u.engine, u.manager.Reload); err != nil {
		// The services run, or will be judged; a switch tries again.
		d.log.Error("unit files do not agree with the current version", "err", err)
	}
	return u, nil
}

// noteLoss has the engine record that a journal must have been lost: a fresh one, on a
// device that an update has been at work on. One that was damaged has been
// recorded by its creation already.
func (d *device) noteLoss(u *updater) error {
	fresh, damage := u.journal.Fresh()
	if damage != nil {
		d.log.Error("the journal was damaged; a new one has begun", "event", engine.EventJournalDamaged, "err", damage.Text)
	}
	if !fresh || damage != nil {
		return nil
	}
	before, err := d.updatedBefore()
	if err != nil || !before {
		return err
	}
	return u.engine.NoteJournalLost()
}

// updatedBefore reports whether an update has been at work on this device,
// which its marker, a previous version or the directory of downloads tells.
func (d *device) updatedBefore() (bool, error) {
	p, err := d.store.Pointers()
	if err != nil {
		return false, err
	}
	_, marked, err := d.store.Marker()
	if err != nil {
		return false, err
	}
	work, err := d.root.Resolve(d.cfg.Paths.Work())
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(work)
	return marked || p.Previous != "" && p.Previous != p.Current || !errors.Is(err, fs.ErrNotExist), nil
}

func (d *device) logReport(r engine.Report) {
	for _, a := range r.Actions {
		if a.Rule != engine.RuleWhole && a.Rule != engine.RuleEmpty {
			d.log.Info("recovery", "event", engine.EventRecovered, "rule", a.Rule, "why", a.Why)
		}
	}
}

// handler is the API, the same for the daemon and for verbs without one.
func (d *device) handler(e httpapi.Engine, j httpapi.Journal) http.Handler {
	return httpapi.New(httpapi.Options{
		Engine: e, Journal: j, Versions: upkeep{d.store}, Clock: d.clock, Log: d.log,
		Version: thisBuild().Version, Hosts: d.cfg.HTTP.Hosts, Keep: d.cfg.Retention.Versions,
	})
}

// upkeep is the store as the engine and the API want it.
type upkeep struct{ *versions.Store }

// Epoch is the version's, 0 for one that was made by hand or is damaged.
func (u upkeep) Epoch(version string) (int64, error) {
	m, err := u.Manifest(version)
	if errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrNotFound) || errors.Is(err, versions.ErrDamaged) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Epoch, nil
}

// Digest is the release a version was made of; empty when it was made by hand.
func (u upkeep) Digest(version string) (string, error) {
	m, err := u.Manifest(version)
	if errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return m.Digest, nil
}
