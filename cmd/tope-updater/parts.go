package main

import (
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/snapshot"
	"github.com/tope/updater/platform/versions"
)

// parts are what an engine works with on a device, opened. Files by role:
//
//	parts.go      what there is, and the API on top of it
//	engine.go     the engine and its steps
//	bundles.go    the bundle formats
//	unitfiles.go  systemd's unit files
//	own.go        this program's own copies
//	fleetparts.go whom it asks for releases
//	keeper.go     what is removed, and when
//	presence.go   how the services are now
type parts struct {
	*device
	store     *versions.Store
	snapshots *snapshot.Store
	// work is the host path that has one directory for each open update.
	work string
	// shelf is the host path where the part of an unfinished download outlives its update.
	shelf string
	// web reaches other machines; all that it fetches shares one bandwidth.
	web *fetch.Transport
	// manager is nil until it is opened: looking and recovery at boot need none.
	manager service.Manager
	// watched is set in a daemon that systemd starts again when it dies.
	watched bool
	// reload is the daemon's; nil in a verb.
	reload func(context.Context) (httpapi.Reloaded, error)
	// lan tells of the network's door; nil where there is none.
	lan func() httpapi.LANStatus
	// signed is engine.SignedRelease by the journal of the engine; nil without one.
	signed       func() string
	newestSigned func() *journal.Signed
	// trust is the running engine's watch.
	trust *trustWatch
	// fleet is whom the device asks for releases; see fleetParts.
	fleet fleetParts
	// tree is the lock of the versions directory, once it is taken (lockTree).
	tree *versions.TreeLock
}

// parts opens everything that costs nothing; create makes a versions directory that is missing.
func (d *device) parts(create bool) (*parts, error) {
	store, err := d.openVersions(create)
	if err != nil {
		return nil, err
	}
	shared, err := d.root.Resolve(d.cfg.Paths.Shared)
	if err != nil {
		return nil, err
	}
	work, err := d.root.Resolve(d.cfg.Paths.Work())
	if err != nil {
		return nil, err
	}
	kept, err := d.root.Resolve(d.cfg.Paths.Shelf())
	if err != nil {
		return nil, err
	}
	return &parts{device: d, store: store, snapshots: snapshot.New(shared, store.Dir()), work: work, shelf: kept, web: d.web()}, nil
}

// manage opens the service manager.
func (p *parts) manage() (err error) {
	p.manager, err = p.openManager()
	return err
}

// close lets go of the manager and of the versions. Services keep running.
func (p *parts) close() error {
	err := p.tree.Close()
	if p.manager == nil {
		return err
	}
	return errors.Join(err, p.manager.Close())
}

// services are the configured ones; none when the manager runs nothing.
func (p *parts) services() []service.Service {
	if !service.RunsServices(p.manager) {
		return nil
	}
	list := make([]service.Service, 0, len(p.cfg.Service))
	for _, s := range p.cfg.Service {
		list = append(list, s.Service())
	}
	return list
}

// origins tells from which versions services run.
func (p *parts) origins() *look.Origins {
	return &look.Origins{Root: p.root, Versions: p.store.Dir()}
}

func (p *parts) keeper() keeper {
	return keeper{store: p.store, snapshots: p.snapshots, work: p.work, shelf: p.shelf, now: p.clock.Now, keep: p.cfg.Retention.Versions}
}

// updatedBefore reports whether an update has been at work on this device,
// which its marker, a previous version or the directory of downloads tells.
func (p *parts) updatedBefore() (bool, error) {
	at, err := look.PointersAt(p.store)
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(p.work)
	return at.UpdatedBefore() || !errors.Is(err, os.ErrNotExist), nil
}

// handler is the API, the same for the daemon and for verbs without one. The manager must
// have been opened.
func (p *parts) handler(e httpapi.Engine, j httpapi.Journal) http.Handler {
	var tokens httpapi.Tokens
	if store, err := p.tokens(); err == nil {
		tokens = store
	} else {
		p.log.Error("no token is accepted", "err", err)
	}
	return httpapi.New(httpapi.Options{
		Engine: e, Journal: j, Versions: upkeep{p.store}, Clock: p.clock, Log: p.log,
		Version: thisBuild().Version, Hosts: p.cfg.HTTP.Hosts, Keep: p.cfg.Retention.Versions, Services: p.eyes(),
		Reload: p.reload, Denied: p.deniedToDaemon(), Tokens: tokens, Legacy: httpapi.LegacyAccess(p.cfg.Legacy.API), LAN: p.lan, Fleet: p.fleetOf(e),
	})
}

// upkeep is the store as the engine and the API want it.
type upkeep struct{ *versions.Store }

// Epoch is the version's epoch, 0 for a version made by hand or damaged.
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

// SignedBy is the key that signed the version's release; empty for a version made by hand
// or damaged, and where no signature was checked.
func (u upkeep) SignedBy(version string) (string, error) {
	m, err := u.Manifest(version)
	if errors.Is(err, versions.ErrNoManifest) || errors.Is(err, versions.ErrNotFound) || errors.Is(err, versions.ErrDamaged) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return m.SignedBy, nil
}

// Digest is that of the release a version was made of; empty for one made by hand.
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
