package engine

import (
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// Event is a kind of thing that happens on a device, as the log names it (the
// attribute "event"). A program that logs to systemd's journal has a
// MESSAGE_ID for each, and a catalog explains them.
type Event string

// The events.
const (
	EventRequested  Event = "update-requested"
	EventState      Event = "state-changed"
	EventCommitted  Event = "committed"
	EventCancelled  Event = "cancelled"
	EventChecked    Event = "checked"
	EventFailed     Event = "failed"
	EventRefused    Event = "refused"
	EventBack       Event = "rolling-back"
	EventRolledBack Event = "rolled-back"
	EventFellBack   Event = "fell-back"
	EventAttention  Event = "needs-attention"
	EventRecovered  Event = "recovered"
	EventQuarantine Event = "quarantined"
	EventRepaired   Event = "repaired"
	EventDiffers    Event = "differs"
	// The daemon's own.
	EventJournalDamaged Event = "journal-damaged"
	EventJournalFailed  Event = "journal-failed"
	EventUnitFiles      Event = "unit-files"
	EventUntrusting     Event = "trusts-anybody"
	EventDenied         Event = "sandbox-denies"
)

// Events returns all of them.
func Events() []Event {
	return []Event{
		EventRequested, EventState, EventCommitted, EventCancelled, EventChecked, EventFailed, EventRefused, EventBack, EventRolledBack,
		EventFellBack, EventAttention, EventRecovered, EventQuarantine, EventJournalDamaged, EventJournalFailed, EventUnitFiles, EventUntrusting, EventDenied,
		EventRepaired, EventDiffers,
	}
}

// eventOf is the event that a journaled record tells of; empty when there is none.
func eventOf(r journal.Record) Event {
	switch r.To {
	case "":
	case Requested:
		return EventRequested
	case Committed:
		return EventCommitted
	case Cancelled:
		return EventCancelled
	case Checked:
		return EventChecked
	case RollingBack, FallingBack:
		return EventBack
	case RolledBack:
		return EventRolledBack
	case FellBack:
		return EventFellBack
	case NeedsAttention:
		return EventAttention
	case Failed:
		if r.Error != nil && r.Error.Class == string(steps.Refused) {
			return EventRefused
		}
		return EventFailed
	default:
		return EventState
	}
	switch {
	case r.TrustForgotten:
		return EventUntrusting
	case r.Quarantine != nil:
		return EventQuarantine
	case r.Repair != nil:
		return EventRepaired
	case r.Rule == RuleDiffers:
		return EventDiffers
	case r.Rule == RuleAttention:
		return EventAttention
	case r.Rule == RuleJournalLost:
		return EventJournalDamaged
	case r.Rule == RuleUnits:
		return EventUnitFiles
	case r.Rule != "":
		return EventRecovered
	}
	return ""
}
