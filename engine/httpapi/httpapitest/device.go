// Package httpapitest is a device as the HTTP layer and its client see it: one
// fake for each interface of httpapi.Options. The test decides everything that
// it does.
package httpapitest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
	address "github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
)

// Device is a fake device. Fail makes every call that changes something return an
// error; Calls has the calls, in order.
type Device struct {
	Clock *clocktest.Fake

	mu      sync.Mutex
	status  engine.Status
	changed chan struct{}
	fail    error
	calls   []string
	asker   *journal.Asker
	fold    journal.Fold
}

// New returns an idle device with version 1.1.0, on the way from 1.0.0.
func New() *Device {
	d := &Device{Clock: clocktest.New(), changed: make(chan struct{})}
	d.status = engine.Status{
		Schema: 1, State: engine.Idle, Trust: "open",
		Pointers: versions.Pointers{Current: "1.1.0", Previous: "1.0.0", Factory: "1.0.0"},
		Journal:  engine.JournalStatus{Seq: 7},
	}
	d.fold = offered(d.Clock.Now())
	return d
}

// Options are those of a handler over this device.
func (d *Device) Options() httpapi.Options {
	return httpapi.Options{
		Engine: (*Engine)(d), Journal: (*Journal)(d), Versions: (*Versions)(d),
		Clock: d.Clock, Version: "2.0.0", Keep: 3, Reload: d.reload, Fleet: (*Fleet)(d),
		Services: httpapi.Eyes{Names: []string{"device-api"}, Look: d.look},
	}
}

// look sees one service, which runs from the current version.
func (d *Device) look(context.Context) []httpapi.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	current := d.status.Pointers.Current
	return []httpapi.Service{{Name: "device-api", Running: true, Versions: []string{current}, Text: "runs from " + current}}
}

func (d *Device) reload(context.Context) (httpapi.Reloaded, error) {
	err := d.call("reload")
	return httpapi.Reloaded{Config: "/etc/tope-updater/config.toml", Trust: "2 keys"}, err
}

// Handler is a handler over this device.
func (d *Device) Handler() http.Handler { return httpapi.New(d.Options()) }

// Change changes the status, moves the journal on and wakes the waiting requests.
func (d *Device) Change(f func(s *engine.Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.status)
	d.status.Journal.Seq++
	close(d.changed)
	d.changed = make(chan struct{})
}

// Open makes an update the open one, in state s and at a progress.
func (d *Device) Open(s engine.State, progress int) {
	d.Change(func(st *engine.Status) {
		st.State = s
		st.Update = &engine.UpdateStatus{
			ID: "u2", Kind: engine.Install, From: "1.1.0", To: "1.2.0", State: s,
			Step: journal.Step(engine.StepOf(s)), Attempt: 1, Progress: progress, Accepted: d.Clock.Now(),
		}
	})
}

// Fail sets the error of the calls that change something, from now on; nil for none.
func (d *Device) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

// Calls returns the calls so far.
func (d *Device) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Asker is who made the newest request to the engine.
func (d *Device) Asker() *journal.Asker {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asker
}

// hear notes who makes a request to the engine.
func (d *Device) hear(ctx context.Context) *Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asker = engine.Asker(ctx)
	return d
}

func (d *Device) call(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	return d.fail
}

// Engine is the device's engine.
type Engine Device

func (e *Engine) device() *Device { return (*Device)(e) }

// Status is what Change made it.
func (e *Engine) Status() engine.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

// Changed is closed by Change.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// Install notes the request.
func (e *Engine) Install(ctx context.Context, r engine.InstallRequest) (string, error) {
	handed := ""
	if r.Handed != nil {
		handed = " from a file that was handed over"
		r.Handed.Close()
	}
	if r.Supersede {
		handed += " in another's place"
	}
	// What only a source of offers may say is not for clients.
	said := struct {
		URL     address.URL
		Name    string
		Size    int64
		MD5     string
		Version string
	}{r.Source.URL, r.Source.Name, r.Source.Size, r.Source.MD5, r.Source.Version}
	return "u2", e.device().hear(ctx).call("install {Source:%+v Hold:%v Retry:%v Force:%v Check:%v}%s", said, r.Hold, r.Retry, r.Force, r.Check, handed)
}

// Proceed notes the request.
func (e *Engine) Proceed(ctx context.Context, version string) (string, error) {
	return "u2", e.device().hear(ctx).call("proceed %s", version)
}

// Cancel notes the request.
func (e *Engine) Cancel(ctx context.Context) (string, error) {
	return "u2", e.device().hear(ctx).call("cancel")
}

// Rollback notes the request.
func (e *Engine) Rollback(ctx context.Context, to string, how engine.Turning) (string, error) {
	if how.Force {
		return "u2", e.device().hear(ctx).call("rollback %q by force", to)
	}
	return "u2", e.device().hear(ctx).call("rollback %q", to)
}

// RestoreFactory notes the request.
func (e *Engine) RestoreFactory(ctx context.Context, _ engine.Turning) (string, error) {
	return "u2", e.device().hear(ctx).call("restore factory")
}

// Quarantine is that of the status.
func (e *Engine) Quarantine() []journal.Quarantined { return e.Status().Quarantine }

// Unquarantine notes the request and clears what the status has.
func (e *Engine) Unquarantine(ctx context.Context, which, why string) ([]journal.Quarantined, error) {
	return e.Status().Quarantine, e.device().hear(ctx).call("unquarantine %q: %s", which, why)
}

// ForgetTrust notes the request.
func (e *Engine) ForgetTrust(ctx context.Context, why string) (string, int64, error) {
	return "signed release 1.0.0", 2, e.device().hear(ctx).call("forget trust: %s", why)
}

// Exclusive notes the request and runs f, unless the device is to fail.
func (e *Engine) Exclusive(ctx context.Context, what string, f func(ctx context.Context) error) error {
	if err := e.device().hear(ctx).call("exclusive %s", what); err != nil {
		return err
	}
	return f(ctx)
}

// Journal is the device's journal: one update, u1, of two records.
type Journal Device

func (j *Journal) records() []journal.Record {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []journal.Record{
		{
			Seq: 1, Time: at, Mono: time.Second, Boot: "b1", Update: "u1", Phase: journal.Outcome, Trigger: "accept", From: "Idle", To: "Requested",
			By:     &journal.Asker{Kind: journal.ByToken, Token: "ci", Peer: "192.0.2.7:4711"},
			Accept: &journal.Accept{Kind: "install", Source: source(), From: "1.0.0", To: "1.1.0", Before: versions.Pointers{Current: "1.0.0"}}, Sum: "aa",
		},
		{Seq: 2, Time: at.Add(time.Second), Mono: 2 * time.Second, Boot: "b1", Update: "u1", Phase: journal.Intent, Step: "Download", Attempt: 1, Sum: "bb"},
	}
}

// source is where the update came from.
func source() json.RawMessage { return json.RawMessage(`{"url":"http://h/the-source.zip"}`) }

// Updates returns the one update.
func (j *Journal) Updates() ([]journal.Update, error) {
	if err := (*Device)(j).call("updates"); err != nil {
		return nil, err
	}
	return []journal.Update{{
		ID: "u1", Kind: "install", Source: source(), From: "1.0.0", To: "1.1.0", State: "Committed", Terminal: true, Closed: true, By: j.records()[0].By,
		Accepted: j.records()[0].Time, FirstSeq: 1, LastSeq: 2,
	}}, nil
}

// Page returns its records in one page, for any other id none.
func (j *Journal) Page(update string, after uint64, _ int) ([]journal.Record, error) {
	if after > 0 {
		return nil, nil
	}
	if err := (*Device)(j).call("records %q", update); err != nil {
		return nil, err
	}
	if update != "" && update != "u1" {
		return nil, nil
	}
	return j.records(), nil
}

// Verify finds one thing wrong.
func (j *Journal) Verify() (journal.Report, error) {
	r := journal.Report{Records: 2, Updates: 1, First: 1, Last: 2, Pages: 8, Problems: []journal.Problem{{Kind: "checksum", Text: "record 2 does not match its checksum"}}}
	return r, (*Device)(j).call("verify journal")
}

// Versions are the device's: 1.1.0 and 1.0.0.
type Versions Device

func (v *Versions) device() *Device { return (*Device)(v) }

// Pointers are those of the status.
func (v *Versions) Pointers() (versions.Pointers, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.status.Pointers, nil
}

// Raw is a pointer as the links of the status have it.
func (v *Versions) Raw(pointer string) (string, bool, error) {
	p, err := v.Pointers()
	version := map[string]string{versions.Current: p.Current, versions.Previous: p.Previous, versions.Factory: p.Factory}[pointer]
	return "v" + version, version != "", err
}

// Path is a directory that exists, whatever the version.
func (v *Versions) Path(string) string { return "/" }

// List returns two complete versions.
func (v *Versions) List() ([]versions.Info, error) {
	return []versions.Info{
		{Version: "1.1.0", State: versions.Complete, Digest: "md5:11", Bytes: 20, Files: 2, Pointers: []string{versions.Current}},
		{Version: "1.0.0", State: versions.Complete, Digest: "md5:10", Bytes: 10, Files: 1, Pointers: []string{versions.Previous, versions.Factory}},
	}, v.device().call("list")
}

// Verify knows the two versions.
func (v *Versions) Verify(_ context.Context, version string) (versions.Verification, error) {
	if err := v.device().call("verify %s", version); err != nil {
		return versions.Verification{}, err
	}
	if version != "1.0.0" && version != "1.1.0" {
		return versions.Verification{}, fmt.Errorf("%w: v%s", versions.ErrNotFound, version)
	}
	return versions.Verification{Version: version, State: versions.Complete, Files: 2, Bytes: 20, Problems: []versions.Problem{}}, nil
}

// Prune removes nothing.
func (v *Versions) Prune(keep int, _ ...string) ([]string, error) {
	return nil, v.device().call("prune %d", keep)
}

// CreateFactory notes the request.
func (v *Versions) CreateFactory(_ context.Context, version string, replace bool) (versions.FactoryReport, error) {
	return versions.FactoryReport{Version: version, Problems: []versions.Problem{}}, v.device().call("create factory %s %v", version, replace)
}

// Links returns one link.
func (v *Versions) Links(string) ([]versions.Link, error) {
	return []versions.Link{{Path: "/usr/local/bin/web-server", Target: "/opt/tope/versions/current/bin/web-server", State: versions.LinkMissing}}, v.device().call("links")
}

// EnsureLinks adds one link.
func (v *Versions) EnsureLinks(version string) ([]string, error) {
	return []string{"/usr/local/bin/web-server"}, v.device().call("ensure links %s", version)
}

// AdoptLinks moves one file aside.
func (v *Versions) AdoptLinks(_ context.Context, version string) ([]string, error) {
	return []string{"/usr/local/bin/web-server.before-tope"}, v.device().call("adopt links %s", version)
}

// SetPointers sets one.
func (v *Versions) SetPointers(current string) ([]string, error) {
	return []string{versions.Previous}, v.device().call("set pointers %q", current)
}

// SweepLinks removes none.
func (v *Versions) SweepLinks(version string) ([]string, error) {
	return nil, v.device().call("sweep links %s", version)
}
