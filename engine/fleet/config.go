package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

// Policy is how far this device goes by itself with what is offered.
type Policy string

// The policies.
const (
	// None asks for nothing.
	None Policy = "none"
	// Check asks, and tells people what it has found.
	Check Policy = "check"
	// Download fetches and verifies it; somebody on the device says when it is installed.
	Download Policy = "download"
	// Auto installs it.
	Auto Policy = "install"
)

// Engine is what the loop needs of *engine.Engine.
type Engine interface {
	Status() engine.Status
	Changed() <-chan struct{}
	Journal() *journal.Fold
	Age(journal.Instant) (time.Duration, bool)
	Install(context.Context, engine.InstallRequest) (string, error)
	Remember(ctx context.Context, source string, facts json.RawMessage) error
	Told(ctx context.Context, n journal.Notice, never string) error
	RefuseOffer(ctx context.Context, r engine.OfferRefusal) error
	Unhold(context.Context) error
	Waits(ctx context.Context, id string, w journal.Wait) error
	ProceedOffer(ctx context.Context, id string) error
	CancelOffer(ctx context.Context, o journal.Origin, why string) error
	Probed(ctx context.Context, p journal.Probed, why string) error
	GoBack(ctx context.Context, reason string, reach bool) (string, error)
	Convict(context.Context) error
	Acquit(ctx context.Context, why string) error
}

// Config is what a Loop needs. Fields without a default must be set.
type Config struct {
	Source Source
	Engine Engine
	Clock  clock.Clock
	Log    *slog.Logger
	// ID is the device's: it draws the moments at which it asks.
	ID     string
	Policy Policy
	// Poll is the time between two questions. Fixed says that the source has no say in it.
	Poll  time.Duration
	Fixed bool
	// Windows are when offers may be installed; none is always.
	Windows Windows
	// Veto asks the device whether it can be updated now; nil never objects.
	Veto func(context.Context) Veto
	// MaxDefer is the longest time for which windows and veto put an offer off, from its
	// acceptance; default 30 days. Patience is the longest time for which anything does:
	// then the update ends; default three times MaxDefer.
	MaxDefer, Patience time.Duration
	// Thrift says why nothing may be downloaded now, on a metered network or with the
	// day's data used up, and until when; nil, and an empty text, allow it.
	Thrift func(context.Context) (why string, until time.Time)
	// Attributes describe the device to a source that wants to know; nil for none.
	Attributes func() map[string]string
	// Failing says what has failed for good, of a version on probation; empty when all is
	// well. nil watches nothing.
	Failing func(context.Context) string
	// Build is when this program was made: no right clock is before that.
	Build time.Time
}

func (c Config) withDefaults() Config {
	if c.MaxDefer <= 0 {
		c.MaxDefer = 30 * 24 * time.Hour
	}
	if c.Patience <= 0 {
		c.Patience = 3 * c.MaxDefer
	}
	if c.Poll <= 0 {
		c.Poll = 6 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
