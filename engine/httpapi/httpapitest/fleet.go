package httpapitest

import (
	"context"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// offered is the journal's fold of a device on which an offer waits, another one has
// failed, somebody holds offers back, and the version that runs is on probation.
func offered(now time.Time) journal.Fold {
	const source = "channel stable"
	uid := uint32(1000)
	who := &journal.Asker{Kind: journal.ByUser, UID: &uid, User: "alice"}
	origin := func(action string) journal.Origin {
		return journal.Origin{Source: source, Action: action, Digest: "sha256:" + action}
	}
	waits, failed := origin("12"), origin("11")
	return journal.Fold{
		Open: &journal.Update{
			ID: "u2", Kind: "install", From: "1.1.0", To: "1.2.0", State: engine.Ready, Hold: true, Origin: &waits,
		},
		Outbox: []journal.Notice{{
			ID: 6, To: source, Update: "u0", Origin: &failed, State: "RolledBack", End: true, From: "1.0.0", Version: "1.1.5", Running: "1.0.0",
			Error: &journal.Failure{Code: "UNHEALTHY", Class: "unhealthy", Text: "it ended", Details: "words of a service"}, By: who, Time: now,
		}},
		Offers:    []journal.OfferEnd{{Origin: failed, Update: "u0", State: "RolledBack", Code: "UNHEALTHY", Text: "words of a service", Time: now, Times: 1}},
		Held:      &journal.Held{Hold: journal.Hold{Until: now.Add(time.Hour), Why: "a fair"}, By: who, Time: now},
		Probation: &journal.Probation{Trial: journal.Trial{Lasts: 24 * time.Hour}, Update: "u1", Version: "1.1.0", Back: "1.0.0", Ran: time.Hour},
	}
}

// Fold changes what the journal tells of offers.
func (d *Device) Fold(change func(*journal.Fold)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.fold)
}

// Journal is what Fold made it.
func (e *Engine) Journal() *journal.Fold {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.fold
	return &f
}

// Hold notes the request.
func (e *Engine) Hold(ctx context.Context, h journal.Hold) error {
	until := "released"
	if !h.Until.IsZero() {
		until = h.Until.Format(time.RFC3339)
	}
	return e.device().hear(ctx).call("hold until %s: %s", until, h.Why)
}

// Unhold notes the request.
func (e *Engine) Unhold(ctx context.Context) error { return e.device().hear(ctx).call("unhold") }

// Fleet is the device's source: all that can be said of one is.
type Fleet Device

// Status has words that are private wherever there may be some.
func (f *Fleet) Status() fleet.Status {
	d := (*Device)(f)
	now := d.Clock.Now()
	const private = "words of a service"
	s := fleet.StatusOf((*Engine)(d), fleet.Status{
		Schema: 1, Source: "channel stable", Place: "https://h/the-source.channel", Policy: fleet.Auto, Text: "version 1.2.0 is ready and waits: " + private,
		Offer: &fleet.OfferStatus{Action: "12", Version: "1.2.0", Digest: "sha256:12", Text: private, Do: fleet.Install},
		Wait:  &journal.Wait{Reason: string(fleet.Busy), Text: private, Until: now},
		Asked: now, Heard: now, Next: now.Add(time.Hour), Due: now, Failure: private, Tries: 2, Alarm: private, Details: []string{private}, Untold: private,
		Probation: &fleet.ProbationStatus{Version: "1.1.0", Back: "1.0.0", Left: 23 * time.Hour, Doubt: private},
	})
	s.Update = &engine.UpdateStatus{ID: "u2", Kind: engine.Install, From: "1.1.0", To: "1.2.0", State: engine.Ready, Hold: true, By: &journal.Asker{Kind: journal.BySource, Source: "channel stable", Action: "12"}}
	return s
}

// Check notes the request.
func (f *Fleet) Check(context.Context) error { return (*Device)(f).call("check the fleet") }
