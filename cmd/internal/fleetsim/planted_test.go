package fleetsim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// plant is a fault of all devices of a fleet, by which an oracle is seen to bite.
type plant string

const (
	tellsEarly     plant = "a device tells a success before its journal has it"
	forgets        plant = "a device forgets at a power cut what it has to tell"
	ignoresPercent plant = "a device does not wait for its place in the rollout"
	ignoresWindow  plant = "a device does not wait for its window"
	ignoresHold    plant = "a device does not hold back"
	noJitter       plant = "all devices draw the same moments"
	neverTells     plant = "a device never tells"
)

// TestPlanted: each oracle finds what it is there for.
func TestPlanted(t *testing.T) {
	for p, want := range map[plant]oracle{
		tellsEarly: committed, forgets: toldOnce, ignoresPercent: percent, ignoresWindow: window, ignoresHold: hold, noJitter: herd, neverTells: toldOnce,
	} {
		t.Run(strings.ReplaceAll(string(p), " ", "_"), func(t *testing.T) {
			f := play(t, 100, 6, 1, p)
			require.NotEmpty(t, f.found[want], "%v", f.found)
			t.Log(f.found[want][0])
		})
	}
}

func (p plant) configured(c *fleet.Config) {
	switch p {
	case noJitter:
		c.ID = "device"
	case ignoresWindow:
		c.Windows = fleet.Windows{}
	case ignoresHold:
		c.Engine = unheld{c.Engine}
	case forgets:
		c.Engine = sulking{c.Engine}
	}
}

func (p plant) early(d *device) bool { return p == ignoresPercent && d.n%5 == 0 }

func (p plant) rebooted(d *device) {
	if p != forgets {
		return
	}
	for _, n := range d.J.State().Outbox {
		_, _ = d.J.Append(journal.Record{Phase: journal.Outcome, Told: &journal.Told{Notice: n.ID, To: n.To}})
	}
}

func (p plant) source(d *device, s fleet.Source) fleet.Source {
	if p == tellsEarly || p == neverTells {
		return planted{s, p, d}
	}
	return s
}

type planted struct {
	fleet.Source
	p plant
	d *device
}

func (s planted) Ask(ctx context.Context, q fleet.Question) (fleet.Answer, error) {
	if s.p == tellsEarly && q.Accepted != nil {
		_ = s.Source.Tell(ctx, journal.Notice{To: s.Name(), Origin: q.Accepted, State: engine.Committed, End: true, Time: time.Now()})
	}
	return s.Source.Ask(ctx, q)
}

func (s planted) Tell(ctx context.Context, n journal.Notice) error {
	if s.p == neverTells {
		return nil
	}
	return s.Source.Tell(ctx, n)
}

// sulking is an engine that does not tell an end again whose server has not heard of it.
type sulking struct{ fleet.Engine }

func (e sulking) RefuseOffer(ctx context.Context, r engine.OfferRefusal) error {
	if r.State == engine.Committed {
		return nil
	}
	return e.Engine.RefuseOffer(ctx, r)
}

// unheld is an engine that knows of no hold.
type unheld struct{ fleet.Engine }

func (e unheld) Journal() *journal.Fold {
	f := *e.Engine.Journal()
	f.Held = nil
	return &f
}

// ProceedOffer is the request of somebody on the device, whom no hold binds.
func (e unheld) ProceedOffer(ctx context.Context, _ string) error {
	u := e.Engine.Journal().Open
	if u == nil {
		return engine.ErrNotFound
	}
	_, err := e.Engine.(interface {
		Proceed(context.Context, string) (string, error)
	}).Proceed(ctx, u.To)
	return err
}
