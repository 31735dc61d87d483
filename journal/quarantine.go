package journal

import (
	"slices"
	"unicode/utf8"
)

const (
	// KeepQuarantine is how many releases the quarantine keeps, the newest ones.
	//
	// An entry binds only while somebody may still offer its release, and those
	// who publish offer the newest. A release that fails again is the newest entry
	// again. When the oldest entry goes and its release is offered once more, the
	// health gate judges it once more: that costs a rollback, and no device.
	KeepQuarantine = 64
	// maxReason bounds the reason of an entry, in bytes. The records of the update
	// have all of it.
	maxReason = 200
)

// applyQuarantine folds what a record says of the quarantine.
func (s *Fold) applyQuarantine(r Record) {
	if q := r.Quarantine; q != nil {
		s.Quarantine = bounded(append(without(s.Quarantine, q.Digest), *q))
	}
	if r.Unquarantine != "" {
		s.Quarantine = without(s.Quarantine, r.Unquarantine)
	}
}

// without returns a copy of list without digest's entry.
func without(list []Quarantined, digest string) []Quarantined {
	return less(list, func(q Quarantined) bool { return q.Digest == digest })
}

// bounded is the newest part of a list, with short reasons. A list that an older
// program has stored may be as long as it likes.
func bounded(list []Quarantined) []Quarantined {
	out := slices.Clone(list[max(0, len(list)-KeepQuarantine):])
	for i := range out {
		out[i].Reason = clip(out[i].Reason, maxReason)
	}
	return out
}

// clip is the beginning of a text, at most so many bytes of it.
func clip(s string, limit int) string {
	const more = "..."
	if len(s) <= limit {
		return s
	}
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}
