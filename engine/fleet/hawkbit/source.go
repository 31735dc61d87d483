package hawkbit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi"
)

// Config is for New.
type Config struct {
	// Client asks the server. It is the Source's alone: it remembers its last answer.
	Client *ddi.Client
	// Name is "hawkbit" when it is empty. Downloads have it for their Credential.
	Name string
	// Build is when this program was made. A time of an earlier year is not told: the
	// clock was not set. Without Build none is.
	Build time.Time
	// Log is told what nobody else learns; nil for nobody.
	Log *slog.Logger
}

// Source is a fleet.Source. Its methods are called one at a time.
type Source struct {
	client *ddi.Client
	name   string
	build  time.Time
	log    *slog.Logger

	// seen is what the server's newest action consists of.
	seen look
	// ends are the offers whose end the server has, by mark, and what it was; done is the
	// one of them that it was told of as a success last, also before this start.
	ends map[string]ddi.State
	done string
	// ready is the offer of which it was told that it is downloaded.
	ready string
	// facts are those of the newest answer.
	facts facts
}

var _ fleet.Source = (*Source)(nil)

// New makes a Source. It asks nobody.
func New(cfg Config) *Source {
	s := &Source{client: cfg.Client, name: cfg.Name, build: cfg.Build, log: cfg.Log, ends: map[string]ddi.State{}}
	if s.name == "" {
		s.name = "hawkbit"
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Name is the configured one.
func (s *Source) Name() string { return s.name }

// Place is this device's resource at the server.
func (s *Source) Place() string { return s.client.String() }

// Listens reports true.
func (s *Source) Listens() bool { return true }

// Identify tells the attributes: the server's own names for them stay, 100 are allowed, and
// a value is shortened to 128 bytes.
func (s *Source) Identify(ctx context.Context, attributes map[string]string) error {
	return later(s.client.PutAttributes(ctx, attributes))
}

// Confirm agrees to an action, or says why not now. hawkBit makes an entry of each answer.
func (s *Source) Confirm(ctx context.Context, o journal.Origin, yes bool, why string) error {
	if yes {
		return judged(s.client.Confirm(ctx, id(o)))
	}
	return judged(s.client.Deny(ctx, id(o), why))
}

// Uncancel tells why the action runs on. It is offered again, as the same offer.
func (s *Source) Uncancel(ctx context.Context, o journal.Origin, why string) error {
	return judged(s.client.Uncancelled(ctx, id(o), why))
}

// judged is what a Source returns for what was told: nil, ErrNever, or later.
func judged(err error) error {
	switch ddi.Judge(err) {
	case ddi.Delivered:
		return nil
	case ddi.Never:
		return fmt.Errorf("%w: %w", fleet.ErrNever, err)
	}
	return later(err)
}

// later is an error with whether the server has answered, and how long it wants to be left
// alone.
func later(err error) error {
	var e *ddi.Error
	if !errors.As(err, &e) || e.Status == 0 {
		return err
	}
	err = fleet.Heard(err)
	if e.Wait > 0 {
		return &fleet.Wait{For: e.Wait, Err: err}
	}
	return err
}

// heard is why a question has failed that somebody has answered.
type heard struct{ error }

func (h heard) Unwrap() error        { return h.error }
func (h heard) Is(target error) bool { return target == fleet.ErrHeard }

// unanswered is what Ask returns for an error: later, and whether somebody was there. That
// this device's own token cannot be read says nothing of the way to the server.
func unanswered(err error) error {
	var e *ddi.Error
	if errors.As(err, &e) && (e.Err == nil || e.Kind == ddi.Denied) {
		return heard{later(err)}
	}
	return later(err)
}
