package engine_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// This file has the flows of a device that updates itself, and what its outbox must hold
// at any cut. They are cut with all the others.

const everybody = "device-api"

func origin() *journal.Origin {
	return &journal.Origin{Source: "hawkbit", Action: "17", Digest: "sha256:x"}
}

// offering accepts the fleet's offer.
func offering(change func(*engine.InstallRequest)) enginetest.Request {
	return func(ctx context.Context, e *engine.Engine) (string, error) {
		req := engine.InstallRequest{
			Source: steps.Source{URL: source.New("http://server/bundle")}, Hold: true, Origin: origin(), Reports: true, Patience: 1000 * time.Hour,
		}
		change(&req)
		return e.Install(ctx, req)
	}
}

var (
	offered   = offering(func(*engine.InstallRequest) {})
	supersede = func(ctx context.Context, e *engine.Engine) (string, error) {
		return e.Install(ctx, engine.InstallRequest{Source: steps.Source{URL: source.New("http://server/bundle")}, Supersede: true})
	}
	cancelled = func(ctx context.Context, e *engine.Engine) (string, error) {
		ctx = engine.AskedBy(ctx, &journal.Asker{Kind: journal.BySource, Source: "hawkbit"})
		return "", e.CancelOffer(ctx, *origin(), "the server has cancelled it")
	}
	proceeds = func(ctx context.Context, e *engine.Engine) (string, error) {
		return "", e.ProceedOffer(ctx, e.Journal().Open.ID)
	}
	convicted = func(ctx context.Context, e *engine.Engine) (string, error) { return "", e.Convict(ctx) }
	acquitted = func(ctx context.Context, e *engine.Engine) (string, error) { return "", e.Acquit(ctx, "neither") }
)

func goesBack(reach bool) enginetest.Request {
	return func(ctx context.Context, e *engine.Engine) (string, error) {
		if last := e.Journal().Last; last != nil && last.Kind == engine.Probation {
			return "", fmt.Errorf("to and fro: %s was on probation, and was gone back from, before", last.From)
		}
		return e.GoBack(ctx, "PROBATION: it dies", reach)
	}
}

// again is the same offer once more, as by a loop that was started anew: it is the update
// that is open. After that the reason for which it waits is noted.
func again(ctx context.Context, e *engine.Engine) (string, error) {
	open := e.Journal().Open.ID
	id, err := offered(ctx, e)
	if err == nil && id != open {
		err = fmt.Errorf("update %s carries out the offer of %s as well", id, open)
	}
	if err == nil {
		err = e.Waits(ctx, open, journal.Wait{Reason: "window", Text: "until 22:00"})
	}
	return id, err
}

// waitsAnd notes why an offer waits, and then does something else.
func waitsAnd(then enginetest.Request) func(*enginetest.Device, *journal.Fold) enginetest.Request {
	return func(_ *enginetest.Device, f *journal.Fold) enginetest.Request {
		if f.Open.Wait == nil {
			return again
		}
		return then
	}
}

// long is waitsAnd, longer than a verified bundle is trusted.
func long(d *enginetest.Device, f *journal.Fold) enginetest.Request {
	if f.Open.Wait != nil {
		d.Clock.Pass(25 * time.Hour)
	}
	return waitsAnd(proceeds)(d, f)
}

// probing goes back from each version on probation, and judges what is suspected.
func probing(reach bool, judge enginetest.Request) func(*enginetest.Device, *journal.Fold) enginetest.Request {
	return func(_ *enginetest.Device, f *journal.Fold) enginetest.Request {
		switch {
		case f.Probation != nil:
			return goesBack(reach)
		case f.Suspect != nil:
			return judge
		}
		return nil
	}
}

// sickens is probing, on a device whose version before does not run any more.
func sickens(d *enginetest.Device, f *journal.Fold) enginetest.Request {
	if f.Probation != nil {
		d.Sick["1.0.0"] = true
	}
	return probing(false, nil)(d, f)
}

// managed is a device of a fleet.
func managed(f enginetest.Fleet, sick ...string) func() *enginetest.Device {
	return with(func(d *enginetest.Device) {
		own := f
		own.Change = func(cfg *engine.Config) {
			cfg.Everywhere, cfg.Probation, cfg.Reached = []string{everybody}, 24*time.Hour, func(string) bool { return true }
		}
		d.Fleet = &own
		for _, v := range sick {
			d.Sick[v] = true
		}
	})
}

func offerFlows() []flow {
	goOn := enginetest.Fleet{Waits: waitsAnd(proceeds)}
	probe := func(idle func(*enginetest.Device, *journal.Fold) enginetest.Request) func() *enginetest.Device {
		return managed(enginetest.Fleet{Waits: waitsAnd(proceeds), Idle: idle})
	}
	moved := enginetest.Fleet{Waits: waitsAnd(proceeds), Away: func(d *enginetest.Device) { d.P.Current = "0.5.0" }}
	both := []string{"1.0.0", "1.1.0"}
	return []flow{
		{"offer", managed(goOn), offered, engine.Committed, "1.1.0", both},
		{"offer that need not wait", managed(goOn), offering(func(r *engine.InstallRequest) { r.Hold = false }), engine.Committed, "1.1.0", both},
		{"offer that nobody wants to hear of", managed(goOn), offering(func(r *engine.InstallRequest) { r.Reports = false }), engine.Committed, "1.1.0", both},
		{"offer of a sick version", managed(goOn, "1.1.0"), offered, engine.RolledBack, "1.0.0", both},
		{"offer, and nothing but the factory's runs", managed(goOn, "1.1.0", "1.0.0"), offered, engine.FellBack, "0.5.0", append(both, "0.5.0")},
		{"offer of a release in quarantine", with(func(d *enginetest.Device) {
			d.Fleet = managed(goOn)().Fleet
			bad := &journal.Quarantined{Version: "1.1.0", Digest: d.Bundle.Digest, Reason: "HEALTH_CHECK_FAILED: it dies"}
			if _, err := d.J.Append(journal.Record{Phase: journal.Outcome, Quarantine: bad}); err != nil {
				panic(err)
			}
		}), offered, engine.Failed, "1.0.0", both[:1]},
		{"offer that its source cancels", managed(enginetest.Fleet{Waits: waitsAnd(cancelled)}), offered, engine.Cancelled, "1.0.0", both[:1]},
		{"offer that a request supersedes", managed(enginetest.Fleet{Waits: waitsAnd(supersede)}), offered, engine.Committed, "1.1.0", both},
		{"offer that nobody lets go on", managed(enginetest.Fleet{}), offering(func(r *engine.InstallRequest) { r.Patience = 30 * time.Minute }), engine.Failed, "1.0.0", both[:1]},
		{"offer that waits for long", managed(enginetest.Fleet{Waits: long}), offered, engine.Committed, "1.1.0", both},
		{"offer, and somebody moves current", managed(moved), offered, engine.Committed, "1.1.0", append(both, "0.5.0")},
		{"probation that is failed", probe(probing(false, nil)), offered, engine.Committed, "1.0.0", both},
		{"probation without its source, which is reached then", probe(probing(true, convicted)), offered, engine.Committed, "1.0.0", both},
		{"probation without its source, which is not reached then either", probe(probing(true, acquitted)), offered, engine.Committed, "1.0.0", both},
		{"probation with nowhere to go back to", probe(sickens), offered, engine.RolledBack, "1.1.0", both},
		{"request on a device of a fleet", managed(enginetest.Fleet{}), enginetest.Install, engine.Committed, "1.1.0", both},
	}
}

// name is a notice in words. There is one of each end.
func name(n journal.Notice) string {
	if n.Newest {
		return fmt.Sprintf("%s only the newest: %s ended as %s", n.To, n.Update, n.State)
	}
	if n.End {
		return fmt.Sprintf("%s %s ended as %s", n.To, n.Update, n.State)
	}
	return fmt.Sprintf("%s %s %s", n.To, n.Update, n.State)
}

func namesOf(list []journal.Notice) (names []string) {
	for _, n := range list {
		names = append(names, name(n))
	}
	return names
}

// due is what the record of a change of state has to owe, for an update that was accepted
// by a.
func due(r journal.Record, a *journal.Accept) (list []journal.Notice) {
	if r.To == "" {
		return nil
	}
	n := journal.Notice{Update: r.Update, State: r.To, End: r.Terminal}
	if r.Terminal {
		n.To, n.Newest = everybody, true
		list = append(list, n)
		n.Newest = false
	}
	if a.Origin == nil || !a.Reports {
		return list
	}
	n.To = a.Origin.Source
	switch told := []engine.State{engine.Downloading, engine.Ready, engine.Switching, engine.RollingBack, engine.FallingBack}; {
	case a.Kind == engine.Probation && r.To == engine.Committed:
		n.State = engine.RolledBack
	case a.Kind == engine.Probation || !r.Terminal && !slices.Contains(told, r.To):
		return list
	}
	return append(list, n)
}

// outbox is the outbox by the records, and everything that was ever in it. wrong is the
// first record that does not owe what it has to.
func (s *story) outbox() (left, all []journal.Notice, wrong string) {
	accepts, ends := map[string]*journal.Accept{}, map[string]bool{}
	for _, r := range s.J.All() {
		if r.Accept != nil {
			accepts[r.Update] = r.Accept
		}
		if want, got := namesOf(due(r, accepts[r.Update])), namesOf(r.Owed); !slices.Equal(want, got) {
			return nil, nil, fmt.Sprintf("record %d, %s→%s, owes %q and not %q", r.Seq, r.From, r.To, got, want)
		}
		for _, n := range r.Owed {
			if n.ID = r.Seq; n.End && ends[name(n)] {
				return nil, nil, "owed twice: " + name(n)
			}
			ends[name(n)] = true
			left = slices.DeleteFunc(left, func(o journal.Notice) bool { return n.Newest && o.To == n.To })
			left, all = append(left, n), append(all, n)
		}
		if told := r.Told; told != nil {
			left = slices.DeleteFunc(left, func(o journal.Notice) bool { return o.To == told.To && o.ID == told.Notice })
		}
	}
	return left, all, ""
}

// untold is the promise about what is owed and was told that does not hold; empty when all
// of them do. cuts is how often the power went.
func (s *story) untold(cuts int) string {
	if s.Fleet == nil {
		return ""
	}
	left, all, wrong := s.outbox()
	if wrong != "" {
		return wrong
	}
	if want, got := namesOf(left), namesOf(s.J.State().Outbox); !slices.Equal(want, got) {
		return fmt.Sprintf("the outbox has %q and not %q", got, want)
	}
	heard, last := map[string]int{}, map[string]uint64{}
	for _, n := range s.Fleet.Heard {
		if !slices.ContainsFunc(all, func(o journal.Notice) bool { return o.ID == n.ID && name(o) == name(n) }) {
			return "told, and not durable: " + name(n)
		}
		if n.ID < last[n.To] {
			return "told after what came later: " + name(n)
		}
		last[n.To] = n.ID
		heard[fmt.Sprint(n.ID, n.To)]++
	}
	if twice := len(s.Fleet.Heard) - len(heard); twice > cuts {
		return fmt.Sprintf("%d notices were told again, by %d cuts", twice, cuts)
	}
	return ""
}

// unheard is what was owed and nobody has heard, though nothing is left to be told; empty
// when all was. Of those who need only the newest, that counts.
func (s *story) unheard() string {
	if s.Fleet == nil {
		return ""
	}
	left, all, _ := s.outbox()
	if len(left) > 0 {
		return fmt.Sprintf("still to be told: %q", namesOf(left))
	}
	for i, n := range all {
		newer := n.Newest && slices.ContainsFunc(all[i+1:], func(o journal.Notice) bool { return o.To == n.To })
		if !newer && !slices.ContainsFunc(s.Fleet.Heard, func(h journal.Notice) bool { return h.ID == n.ID && h.To == n.To }) {
			return "never told: " + name(n)
		}
	}
	return ""
}
