package journal

import (
	"encoding/json"
	"slices"
	"time"
)

// This file has what a device that updates itself keeps beyond its updates: what was
// offered, what is still to be told and to whom, what its sources have to remember, and
// who holds updates back. All of it is folded, so that it outlives the records.

// Origin names the offer that an update carries out.
type Origin struct {
	// Source is who offers, by its name on this device: "channel stable", "hawkbit".
	Source string `json:"source"`
	// Action is the source's own name for the offer. It may be used again for another
	// one; only with Digest it is one offer.
	Action string `json:"action"`
	// Digest is what is offered, as far as the source tells before anything is fetched.
	Digest string `json:"digest,omitempty"`
}

// Notice is something to tell somebody outside of the device. It stands in the outbox
// from the record that it tells of, until a record says that it was Told.
type Notice struct {
	// ID is the number of the record that it tells of; the fold sets it. One record has
	// one report for each recipient.
	ID uint64 `json:"id,omitempty"`
	// To is the recipient: the name of a source, or "device-api".
	To string `json:"to"`
	// Newest says that the recipient has no use for an older report than the newest: this
	// one takes the place of all others to it.
	Newest bool `json:"newest,omitempty"`

	Update string  `json:"update,omitempty"`
	Origin *Origin `json:"origin,omitempty"`
	// State is the one that was entered. End says that it is the last word on the offer.
	State State `json:"state"`
	End   bool  `json:"end,omitempty"`
	// From is the version that ran before, Version the one that the offer brings, when known.
	From    string `json:"from,omitempty"`
	Version string `json:"version,omitempty"`
	// Running is the version on which the device is left; only of an end.
	Running string   `json:"running,omitempty"`
	Error   *Failure `json:"error,omitempty"`
	// By is who has brought it about, when somebody has: a source that cancels, a user.
	By   *Asker    `json:"by,omitempty"`
	Time time.Time `json:"time"`
}

// Told says what has become of a report, which leaves the outbox with it.
type Told struct {
	Notice uint64 `json:"notice"`
	To     string `json:"to"`
	// Never is why the recipient will never take it; empty when it was delivered.
	Never string `json:"never,omitempty"`
}

// Remembered is what a source has to know of earlier answers. Only the source reads it.
type Remembered struct {
	Source string          `json:"source"`
	Facts  json.RawMessage `json:"facts"`
}

// OfferEnd is what has become of an offer.
type OfferEnd struct {
	Origin
	// Update is the one that carried it out; empty for an offer that was refused at once.
	Update string    `json:"update,omitempty"`
	State  State     `json:"state"`
	Code   string    `json:"code,omitempty"`
	Text   string    `json:"text,omitempty"`
	Time   time.Time `json:"time"`
	// Ended is Time by both clocks.
	Ended Instant `json:"ended"`
	// Times is how often in a row the offer has come to its end without success.
	Times int `json:"times,omitempty"`
}

// Refusal is an offer that is not taken, so that no update is opened for it.
type Refusal struct {
	Origin Origin `json:"origin"`
	// State is what it counts as: Failed, or Cancelled.
	State State `json:"state"`
}

// Hold keeps updates of sources from being installed.
type Hold struct {
	// Until is when it ends by itself; zero for never.
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why"`
}

// Held is a Hold that somebody has made.
type Held struct {
	Hold
	By   *Asker    `json:"by,omitempty"`
	Time time.Time `json:"time"`
}

// Wait is why an update that is ready to be installed waits.
type Wait struct {
	// Reason is one word of package fleet; Text is it in one line for people.
	Reason string `json:"reason"`
	Text   string `json:"text"`
	// Until is when it ends, as far as is known; zero when it is not.
	Until time.Time `json:"until,omitzero"`
}

// Trial is a version on probation: it was committed, and may still turn out bad.
type Trial struct {
	// Lasts is how long it is watched after its commit.
	Lasts time.Duration `json:"lasts_ns"`
	// Reach is set when its source was reached in the last day before it: then, that
	// it cannot be reached any more says something of the version.
	Reach bool `json:"reach,omitempty"`
	// Reports says that its source wants to be told.
	Reports bool `json:"reports,omitempty"`
}

// Probation is the Trial of the version that was committed last.
type Probation struct {
	Trial
	Update  string  `json:"update"`
	Version string  `json:"version"`
	Digest  string  `json:"digest,omitempty"`
	Back    string  `json:"back"` // the version before
	Origin  *Origin `json:"origin,omitempty"`
	Began   Instant `json:"began"`
	// Ran is how long the device has been running on probation up to Seen, the last
	// moment that was noted. Time without power does not count.
	Ran  time.Duration `json:"ran_ns,omitempty"`
	Seen Instant       `json:"seen"`
	// Boots counts the starts of the device since.
	Boots int `json:"boots,omitempty"`
}

// Suspect is a release that may be to blame.
type Suspect struct {
	Quarantined
	// Since is when the device had gone back from it.
	Since Instant `json:"since"`
}

// Bounds of what the fold keeps of a fleet.
const (
	// KeepNotices is how many reports wait in the outbox. When there are more, the oldest
	// that is not an end goes first: what is in between is news only while it is new.
	KeepNotices = 32
	// KeepEnds is how many ends wait. A source that hears of no end offers nothing more, so
	// there are a few of them; beyond this bound the oldest goes.
	KeepEnds = 64
	// KeepOffers is how many ends of offers are kept, the newest ones.
	KeepOffers = 32
	// keepRemembered is how many sources are remembered, the ones heard last.
	keepRemembered = 8
)

// applyFleet folds what a record says of offers, reports and holds.
func (s *Fold) applyFleet(r Record) {
	for _, o := range r.Owed {
		o.ID = r.Seq
		s.Outbox = owed(s.Outbox, o)
	}
	if t := r.Told; t != nil {
		s.Outbox = slices.DeleteFunc(slices.Clone(s.Outbox), func(o Notice) bool { return o.ID == t.Notice && o.To == t.To })
	}
	if m := r.Remember; m != nil {
		list := slices.DeleteFunc(slices.Clone(s.Remembered), func(o Remembered) bool { return o.Source == m.Source })
		list = append(list, *m)
		s.Remembered = list[max(0, len(list)-keepRemembered):]
	}
	if r.Hold != nil {
		s.Held = &Held{Hold: *r.Hold, By: r.By, Time: r.Time}
	}
	if r.Unhold {
		s.Held = nil
	}
	if q := r.Quarantine; r.Acquit || q != nil && s.Suspect != nil && q.Digest == s.Suspect.Digest {
		s.Suspect = nil
	}
	if n := r.Refuse; n != nil {
		s.ended(n.Origin, "", n.State, r)
	}
	if p := s.Probation; p != nil && r.Probed != nil {
		next := *p
		next.Ran, next.Boots, next.Seen = r.Probed.Ran, r.Probed.Boots, r.Instant()
		s.Probation = &next
		if r.Probed.Over {
			s.Probation = nil
		}
	}
}

// Probed is how far a probation is.
type Probed struct {
	Ran   time.Duration `json:"ran_ns"`
	Boots int           `json:"boots,omitempty"`
	// Over: it is at its end. Whether the version passed says the record's Why, or the
	// update of kind probation that the record accepts.
	Over bool `json:"over,omitempty"`
}

// owed is the outbox with a report more, within its bounds.
func owed(list []Notice, o Notice) []Notice {
	out := slices.DeleteFunc(slices.Clone(list), func(old Notice) bool { return o.Newest && old.To == o.To })
	out = append(out, o)
	drop := func(end bool) {
		if i := slices.IndexFunc(out, func(r Notice) bool { return r.End == end }); i >= 0 {
			out = slices.Delete(out, i, i+1)
		}
	}
	ends := 0
	for _, r := range out {
		if r.End {
			ends++
		}
	}
	if len(out)-ends > 0 && len(out) > KeepNotices {
		drop(false)
	}
	if ends > KeepEnds {
		drop(true)
	}
	return out
}

// ended remembers what has become of an offer.
func (s *Fold) ended(o Origin, update string, state State, r Record) {
	e := OfferEnd{Origin: o, Update: update, State: state, Time: r.Time, Ended: r.Instant()}
	if r.Error != nil {
		e.Code, e.Text = r.Error.Code, clip(r.Error.Text, maxReason)
	}
	list := slices.Clone(s.Offers)
	if i := slices.IndexFunc(list, func(old OfferEnd) bool { return old.Origin == o }); i >= 0 {
		e.Times = list[i].Times
		list = slices.Delete(list, i, i+1)
	}
	e.Times++
	if state == "Committed" {
		e.Times = 0
	}
	list = append(list, e)
	s.Offers = list[max(0, len(list)-KeepOffers):]
}

// offered folds the end of an update into what is known of its offer, and begins the
// probation of a version that it has committed.
func (s *Fold) offered(u *Update, r Record) {
	if u.Kind == "probation" {
		// Its offer had come to a good end; if the way back has failed, that stands.
		if u.State == "Committed" {
			s.wentBack(u, r)
		}
		return
	}
	if u.Origin != nil {
		s.ended(*u.Origin, u.ID, u.State, r)
	}
	if u.State != "Committed" {
		return
	}
	s.Suspect = nil
	// Whatever was on probation is not what runs any more.
	s.Probation = nil
	if r.Trial != nil && u.From != "" {
		s.Probation = &Probation{
			Trial: *r.Trial, Update: u.ID, Version: u.To, Digest: u.Digest, Back: u.From, Origin: u.Origin, Began: r.Instant(), Seen: r.Instant(),
		}
	}
}

// wentBack folds the end of an update of kind probation that has gone back.
func (s *Fold) wentBack(u *Update, r Record) {
	s.Probation, s.Suspect = nil, nil
	if u.Evicts != nil && u.Reach {
		s.Suspect = &Suspect{Quarantined: *u.Evicts, Since: r.Instant()}
	}
	if u.Origin == nil {
		return
	}
	r.Error = &Failure{Code: "PROBATION"}
	if u.Evicts != nil {
		r.Error.Text = u.Evicts.Reason
	}
	s.ended(*u.Origin, u.ID, "RolledBack", r)
}

// EndOf is what has become of an offer; nil when nothing is known of it.
func (s *Fold) EndOf(o Origin) *OfferEnd {
	for i := range s.Offers {
		if s.Offers[i].Origin == o {
			return &s.Offers[i]
		}
	}
	return nil
}

// FactsOf is what a source has to remember; nil for nothing.
func (s *Fold) FactsOf(source string) json.RawMessage {
	for _, r := range s.Remembered {
		if r.Source == source {
			return r.Facts
		}
	}
	return nil
}
