package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// narrate logs what a record tells, once it is durable. open is the open update
// after it, nil when there is none.
func narrate(log *slog.Logger, open *journal.Update, r journal.Record) {
	event := eventOf(r)
	attrs := describeRecord(event, open, r)
	level := levelOf(event, r)
	switch {
	case r.To != "":
		log.Log(context.Background(), level, "state", attrs...)
	case r.Upkeep != "":
		log.Log(context.Background(), level, "upkeep", append(attrs, slog.String("what", r.Upkeep))...)
	case r.Quarantine != nil:
		attrs = append(attrs, slog.String("release", r.Quarantine.Version), slog.String("digest", r.Quarantine.Digest))
		log.Log(context.Background(), level, "quarantined", attrs...)
	case r.TrustForgotten:
		log.Log(context.Background(), level, "the signed releases that were committed are let go of", attrs...)
	case r.Rule == RuleJournalLost:
		log.Log(context.Background(), level, "the journal is gone; a new one has begun", slog.String("event", string(event)))
	case r.Rule == RuleUnits:
		// The program that changed the files has logged each.
	case r.Rule != "" || r.Error != nil:
		log.Log(context.Background(), level, "journal", attrs...)
	}
}

func levelOf(event Event, r journal.Record) slog.Level {
	switch event {
	case EventAttention, EventFellBack, EventJournalDamaged:
		return slog.LevelError
	case EventRolledBack, EventQuarantine, EventRepaired, EventDiffers, EventUntrusting:
		return slog.LevelWarn
	}
	switch {
	case r.Error == nil:
		return slog.LevelInfo
	case r.Error.Class == string(steps.Interrupted) || r.Error.Code == string(steps.AlreadyCurrent):
		return slog.LevelInfo // nobody's fault
	}
	return slog.LevelError
}

func describeRecord(event Event, open *journal.Update, r journal.Record) (attrs []any) {
	attrs = attribute(attrs, "event", event)
	attrs = attribute(attrs, "update", r.Update)
	if open != nil && open.ID == r.Update {
		attrs = attribute(attrs, "from", open.From)
		attrs = attribute(attrs, "to", open.To)
	}
	attrs = attribute(attrs, "step", r.Step)
	attrs = attribute(attrs, "was", r.From)
	attrs = attribute(attrs, "state", r.To)
	attrs = attribute(attrs, "rule", r.Rule)
	attrs = attribute(attrs, "why", r.Why)
	attrs = attribute(attrs, "by", r.By.String())
	if r.Took > 0 {
		attrs = append(attrs, slog.Duration("took", r.Took.Round(time.Millisecond)))
	}
	if r.Error != nil {
		attrs = append(attrs, slog.String("code", r.Error.Code), slog.String("err", r.Error.Text))
	}
	return attrs
}

// attribute adds an attribute, unless its value is empty.
func attribute[T ~string](attrs []any, key string, value T) []any {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, string(value)))
}
