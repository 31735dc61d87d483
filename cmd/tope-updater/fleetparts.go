package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/hawkbit"
	"github.com/tope/updater/engine/fleet/static"
	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/identity"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/veto"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// deviceAPI is device-api among those who are told the end of each update.
const deviceAPI = "device-api"

// hawkBit is the name of a DDI server on this device, and of its credentials.
const hawkBit = "hawkbit"

// fleetParts are what a device that asks for releases by itself has for it.
type fleetParts struct {
	// loop is nil where nobody is asked; why says then why it is not, when it should be.
	loop *fleet.Loop
	why  error
	// idle is the engine of a device that is configured to ask nobody; nil for others.
	idle fleet.Engine
	once sync.Once
	// client is the DDI server's; nil for a device without one.
	client *ddi.Client
	fault  error
}

// run asks until ctx ends, or the journal fails.
func (f *fleetParts) run(ctx context.Context) error {
	switch {
	case f.loop != nil:
		return f.loop.Run(ctx)
	case f.idle == nil:
		return nil
	}
	if err := fleet.Abandon(ctx, f.idle); ctx.Err() == nil && errors.Is(err, engine.ErrJournal) {
		return err
	}
	return nil // it is done, or the daemon is stopping
}

// everywhere is who is told the end of each update.
func (p *parts) everywhere() []string {
	if p.cfg.DeviceAPI.URL == "" {
		return nil
	}
	return []string{deviceAPI}
}

// reached reports whether a source was heard in the last day.
func (p *parts) reached(string) bool { return p.fleet.loop != nil && p.fleet.loop.Reached() }

// loopFleet makes the loop of a device that asks for releases by itself. What is wrong
// with its configuration is told, and keeps the daemon from nothing else: somebody has to
// be able to bring the device a better one.
func (p *parts) loopFleet(e fleet.Engine) {
	if !p.cfg.Fleet.Asks() {
		p.fleet.idle = e
		return
	}
	loop, err := p.newLoop(e)
	if err != nil {
		p.fleet.why = err
		p.log.Error("this device asks nobody for releases", "err", err)
		return
	}
	p.fleet.loop = loop
}

// asks says why a device that is to ask for releases by itself cannot.
func (d *device) asks() error {
	if !d.cfg.Fleet.Asks() {
		return nil
	}
	_, _, err := d.whoAsks()
	return err
}

// whoAsks is the device's id, and the time zone of its windows.
func (d *device) whoAsks() (id string, zone *time.Location, err error) {
	if id, err = identity.Device(d.root, d.cfg.Fleet.ID); err != nil {
		return "", nil, err
	}
	if zone, err = fleet.Zone(d.cfg.Fleet.TimeZone); err != nil {
		return "", nil, fmt.Errorf("fleet.time_zone: %w", err)
	}
	return id, zone, nil
}

func (p *parts) newLoop(e fleet.Engine) (*fleet.Loop, error) {
	c := p.cfg.Fleet
	id, zone, err := p.whoAsks()
	if err != nil {
		return nil, err
	}
	var list []fleet.Window
	for _, w := range c.Window {
		list = append(list, fleet.Window{Days: w.Days, From: w.From, To: w.To})
	}
	windows, err := fleet.ParseWindows(list, zone)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	source, err := p.fleetSource(id)
	if err != nil {
		return nil, err
	}
	cfg := fleet.Config{
		Source: source, Engine: e, Clock: p.clock, Log: p.log, ID: id, Policy: fleet.Policy(c.Policy),
		Poll: config.Polls, Fixed: c.Poll > 0, Windows: windows, MaxDefer: time.Duration(c.MaxDefer), Build: builtAt(),
		Thrift: p.thrift(zone), Attributes: p.attributes(e), Failing: p.failing(),
	}
	if c.Poll > 0 {
		cfg.Poll = time.Duration(c.Poll)
	}
	if len(c.Veto) > 0 {
		program := veto.Program{Command: c.Veto, Timeout: time.Duration(c.VetoTimeout), Failure: c.VetoFailure, Clock: p.clock}
		cfg.Veto = func(ctx context.Context) fleet.Veto {
			busy, why, err := program.Ask(ctx)
			return fleet.Veto{Busy: busy || err != nil, Why: why}
		}
	}
	return fleet.New(cfg), nil
}

func (p *parts) fleetSource(id string) (fleet.Source, error) {
	c := p.cfg.Fleet
	if c.HawkBit != "" {
		client, err := p.ddi(id)
		if err != nil {
			return nil, err
		}
		return hawkbit.New(hawkbit.Config{Client: client, Name: hawkBit, Build: builtAt(), Log: p.log}), nil
	}
	keys, err := p.root.Resolve(p.cfg.Paths.Keys)
	if err != nil {
		return nil, err
	}
	return static.New(static.Config{
		Name: c.ChannelName(), URL: c.Channel, Clock: p.clock, Build: builtAt(), Web: p.web, Version: thisBuild().Version,
		Device: channel.Device{ID: id, Product: p.cfg.Device.Product, Hardware: p.cfg.Device.Hardware, Early: c.Early, Late: c.Late},
		Keys:   func() (*trust.Keys, error) { return trust.Load(keys, p.clock.Now()) },
		UpdateKeys: func(_ context.Context, signed []byte) error {
			return trust.UpdateSigned(keys, signed, p.clock.Now())
		},
	})
}

// ddi is the client of the DDI server, one for this process.
func (p *parts) ddi(id string) (*ddi.Client, error) {
	f := &p.fleet
	f.once.Do(func() {
		c := p.cfg.Fleet.DDI()
		token := identity.Token{Root: p.root, File: p.cfg.Fleet.TokenFile, Credentials: os.Getenv("CREDENTIALS_DIRECTORY")}
		c.ID, c.Token, c.Web, c.Clock, c.Version = id, token.Read, p.web, p.clock, thisBuild().Version
		f.client, f.fault = ddi.New(c)
	})
	return f.client, f.fault
}

// authorize adds the credentials of a name to a request of a download.
func (p *parts) authorize(name string, req *http.Request) error {
	if name != hawkBit || p.cfg.Fleet.HawkBit == "" {
		return fmt.Errorf("the credentials of %s are not configured any more", name)
	}
	id, err := identity.Device(p.root, p.cfg.Fleet.ID)
	if err != nil {
		return err
	}
	client, err := p.ddi(id)
	if err != nil {
		return err
	}
	return client.Authorize(req)
}

// attributes are what this device tells a server of itself.
func (p *parts) attributes(e fleet.Engine) func() map[string]string {
	return func() map[string]string {
		all := map[string]string{}
		for k, v := range p.cfg.Fleet.Attributes {
			all[k] = v
		}
		st, f := e.Status(), e.Journal()
		own := map[string]string{
			"version": st.Pointers.Current, "version.previous": st.Pointers.Previous, "version.factory": st.Pointers.Factory,
			"product": p.cfg.Device.Product, "hardware": p.cfg.Device.Hardware, "updater": thisBuild().Version,
			"epoch": strconv.FormatInt(f.EpochFloor, 10), "quarantine": strconv.Itoa(len(f.Quarantine)),
		}
		if keys, err := p.root.Resolve(p.cfg.Paths.Keys); err == nil {
			if k, err := trust.Load(keys, p.clock.Now()); err == nil && k.Rotation() != nil {
				own["keys.serial"] = strconv.FormatInt(k.Rotation().Serial, 10)
			}
		}
		if u := f.Last; u != nil {
			own["last.state"], own["last.version"] = string(u.State), u.To
			if u.Cause != nil {
				own["last.error"] = u.Cause.Code
			} else if u.Error != nil && !engine.Success(u.State) {
				own["last.error"] = u.Error.Code
			}
		}
		for k, v := range own {
			if v != "" {
				all[k] = v
			}
		}
		return all
	}
}

// failing looks at the services of a version on probation: what systemd has given up, or
// starts again and again. A service that somebody has stopped has not failed.
func (p *parts) failing() func(context.Context) string {
	w := &watcher{parts: p}
	seen := map[string]restarts{}
	return func(ctx context.Context) string {
		at, err := p.store.Pointers()
		if err != nil {
			return ""
		}
		list, err := w.list(ctx, at.Current)
		if err != nil {
			return ""
		}
		var bad []string
		for _, s := range list {
			st, err := p.manager.Status(ctx, s)
			if err != nil {
				continue // that it cannot be asked says nothing of the version
			}
			was, known := seen[s.Name]
			if !known {
				was.count = st.Restarts // only what comes from now on counts
			}
			now := was.next(st.Restarts, p.clock.Monotonic())
			seen[s.Name] = now
			switch {
			case st.Active == service.Broken:
				bad = append(bad, s.Name+" has failed")
			case now.often():
				bad = append(bad, s.Name+" ends again and again")
			}
		}
		return steps.Shorten(strings.Join(bad, ", "), steps.LongestLine)
	}
}

// restarts tells whether a service is started anew by its manager again and again.
type restarts struct {
	count int
	// at are the moments at which there were more of them, the newest last.
	at []time.Duration
}

// A service that was started anew at so many moments within so long ends again and again.
// Moments are apart: one that needs some tries, and then runs, has had one of them.
const (
	oftenTimes  = 3
	oftenWithin = 15 * time.Minute
	oftenApart  = 30 * time.Second
)

func (r restarts) next(count int, now time.Duration) restarts {
	n := restarts{count: count}
	for _, t := range r.at {
		if now-t < oftenWithin {
			n.at = append(n.at, t)
		}
	}
	if last := len(n.at) - 1; count > r.count && (last < 0 || now-n.at[last] >= oftenApart) {
		n.at = append(n.at, now)
	}
	return n
}

func (r restarts) often() bool { return len(r.at) >= oftenTimes }
