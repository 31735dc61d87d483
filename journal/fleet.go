package journal

import (
	"encoding/json"
	"slices"
	"time"
)

// This file has what a device that updates itself keeps beyond its updates: what was
// offered, what is still to be told and to whom, what its sources have to remember, and
// who holds updates back. All of it is folded, so that it outlives the records, and all of
// it is bounded, in number and in bytes, because the fold is stored whole.

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
	// one notice for each recipient.
	ID uint64 `json:"id,omitempty"`
	// To is the recipient: the name of a source, or "device-api".
	To string `json:"to"`
	// Newest says that the recipient has no use for an older notice than the newest: this
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
	By *Asker `json:"by,omitempty"`
	// Time is when it happened. The fold sets it to the record's when it is zero.
	Time time.Time `json:"time,omitzero"`
}

// Told says what has become of a notice, which leaves the outbox with it.
type Told struct {
	Notice uint64 `json:"notice"`
	To     string `json:"to"`
	// Never is why the recipient will never take it; empty when it was delivered.
	Never string `json:"never,omitempty"`
}

// Remembered is what a source has to know of earlier answers. Only the source reads it.
type Remembered struct {
	Source string `json:"source"`
	// Facts take the place of those before; without any, nothing changes. At most MaxFacts
	// bytes.
	Facts json.RawMessage `json:"facts,omitempty"`
}

// OfferEnd is what has become of an offer.
type OfferEnd struct {
	Origin
	// Update is the one that carried it out; empty for an offer that was refused at once.
	Update string `json:"update,omitempty"`
	State  State  `json:"state"`
	// Code and Text say why it did not succeed: what made the update turn back, if it did,
	// and not what went wrong on the way back. Text has at most 200 bytes.
	Code string    `json:"code,omitempty"`
	Text string    `json:"text,omitempty"`
	Time time.Time `json:"time"`
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
	// Why is in the words of whoever holds; the fold keeps 200 bytes of it.
	Why string `json:"why"`
}

// Held is a Hold that somebody has made.
type Held struct {
	Hold
	By   *Asker    `json:"by,omitempty"`
	Time time.Time `json:"time"`
}

// Binds reports whether offers are held back at a time. nil never binds.
func (h *Held) Binds(at time.Time) bool { return h != nil && (h.Until.IsZero() || at.Before(h.Until)) }

// Wait is why an update that is ready to be installed waits.
type Wait struct {
	// Reason is one word of package fleet; Text is it in one line for people, of which the
	// fold keeps 200 bytes.
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

// Suspect is a release that may be to blame for a source that could not be reached; the fold keeps 200 bytes of its Reason.
type Suspect struct {
	Quarantined
	// Since is when the device had gone back from it.
	Since Instant `json:"since"`
}

// Probed is how far a probation is.
type Probed struct {
	Ran   time.Duration `json:"ran_ns"`
	Boots int           `json:"boots,omitempty"`
	// Over: it is at its end. Whether the version passed says the record's Why, or the
	// update of kind probation that the record accepts.
	Over bool `json:"over,omitempty"`
}

// Bounds of what the fold keeps of a fleet.
const (
	// KeepNotices is how many notices wait in the outbox. When there are more, the oldest
	// that is not an end goes first: what is in between is news only while it is new.
	KeepNotices = 32
	// KeepEnds is how many ends wait. A source that hears of no end offers nothing more, so
	// there are a few of them; beyond this bound the oldest goes. So the outbox never has
	// more notices than this.
	KeepEnds = 64
	// KeepOffers is how many ends of offers are kept, the newest ones.
	KeepOffers = 32
	// MaxFacts is how many bytes a source may remember; Append refuses more.
	MaxFacts = 16 << 10
	// keepRemembered is how many sources are remembered, the ones heard last.
	keepRemembered = 8
	// maxToldLine and maxToldDetails bound the texts of a failure in the outbox, in bytes.
	// The records of the update have all of them.
	maxToldLine    = 512
	maxToldDetails = 1 << 10
)

// applyFleet folds what a record says of offers, notices and holds. What it says of its
// update is folded already.
func (s *Fold) applyFleet(r Record) {
	for _, o := range r.Owed {
		s.Outbox = owed(s.Outbox, o.of(r))
	}
	if t := r.Told; t != nil {
		s.Outbox = less(s.Outbox, func(o Notice) bool { return o.ID == t.Notice && o.To == t.To })
	}
	if m := r.Remember; m != nil && len(m.Facts) > 0 {
		others := less(s.Remembered, func(o Remembered) bool { return o.Source == m.Source })
		s.Remembered = newest(append(others, *m), keepRemembered)
	}
	if r.Hold != nil {
		s.Held = &Held{Hold: Hold{Until: r.Hold.Until, Why: clip(r.Hold.Why, maxReason)}, By: r.By, Time: r.Time}
	}
	if r.Unhold {
		s.Held = nil
	}
	if q := r.Quarantine; r.Acquit || q != nil && s.Suspect != nil && q.Digest == s.Suspect.Digest {
		s.Suspect = nil
	}
	if n := r.Refuse; n != nil {
		s.ended(n.Origin, "", n.State, r.Error, r)
	}
	if r.Probed != nil {
		s.probed(r)
	}
}

// less is a copy of list without what gone names; nil when nothing is left, as it is when
// the fold is read back.
func less[T any](list []T, gone func(T) bool) []T {
	out := slices.DeleteFunc(slices.Clone(list), gone)
	if len(out) == 0 {
		return nil
	}
	return out
}

// newest is the end of a list.
func newest[T any](list []T, keep int) []T { return list[max(0, len(list)-keep):] }

// of is the notice as the outbox keeps it, from the record that owes it.
func (o Notice) of(r Record) Notice {
	o.ID = r.Seq
	if o.Time.IsZero() {
		o.Time = r.Time
	}
	if o.Error != nil {
		f := *o.Error
		f.Text, f.Outline, f.Details, f.Late = clip(f.Text, maxToldLine), clip(f.Outline, maxToldLine), clip(f.Details, maxToldDetails), nil
		o.Error = &f
	}
	return o
}

// owed is the outbox with a notice more, within its bounds.
func owed(list []Notice, o Notice) []Notice {
	out := append(less(list, func(old Notice) bool { return old.To == o.To && (o.Newest || old.ID == o.ID) }), o)
	ends := 0
	for _, n := range out {
		if n.End {
			ends++
		}
	}
	drop := func(end bool) {
		i := slices.IndexFunc(out, func(n Notice) bool { return n.End == end })
		out = slices.Delete(out, i, i+1)
	}
	if len(out) > KeepNotices && len(out) > ends {
		drop(false)
	}
	if ends > KeepEnds {
		drop(true)
	}
	return out
}

// ended remembers what has become of an offer, and why if it did not succeed.
func (s *Fold) ended(o Origin, update string, state State, why *Failure, r Record) {
	e := OfferEnd{Origin: o, Update: update, State: state, Time: r.Time, Ended: r.Instant()}
	if why != nil {
		e.Code, e.Text = why.Code, clip(why.Text, maxReason)
	}
	if state != "Committed" && state != "Checked" {
		e.Times = 1
		if old := s.EndOf(o); old != nil {
			e.Times += old.Times
		}
	}
	s.Offers = newest(append(less(s.Offers, func(old OfferEnd) bool { return old.Origin == o }), e), KeepOffers)
}

// offered folds the end of an update into what is known of its offer and of the version
// on probation.
func (s *Fold) offered(u *Update, r Record) {
	// A version that is not what runs any more is not watched.
	if p := s.Probation; p != nil && (u.State == "Committed" || s.Committed != p.Version) {
		s.Probation = nil
	}
	if u.Kind == "probation" {
		// Its offer had come to a good end; if the way back has failed, that stands. It is
		// not tried again: the device would go to and fro.
		s.Probation = nil
		if u.State == "Committed" {
			s.wentBack(u, r)
		}
		return
	}
	if u.Origin != nil {
		s.ended(*u.Origin, u.ID, u.State, u.failed(), r)
	}
	if u.State == "Committed" {
		s.Suspect = nil
	}
	// Without another version before it there is nothing to go back to.
	if r.Trial != nil && u.State == "Committed" && u.From != "" && u.From != u.To {
		s.Probation = &Probation{
			Trial: *r.Trial, Update: u.ID, Version: u.To, Digest: u.Digest, Back: u.From, Origin: u.Origin, Began: r.Instant(), Seen: r.Instant(),
		}
	}
}

// wentBack folds the end of an update of kind probation that has gone back.
func (s *Fold) wentBack(u *Update, r Record) {
	s.Suspect = nil
	if u.Evicts != nil && u.Reach {
		s.Suspect = &Suspect{Quarantined: *u.Evicts, Since: r.Instant()}
		s.Suspect.Reason = clip(u.Evicts.Reason, maxReason)
	}
	if u.Origin == nil {
		return
	}
	why := &Failure{Code: "PROBATION"}
	if u.Evicts != nil {
		why.Text = u.Evicts.Reason
	}
	s.ended(*u.Origin, u.ID, "RolledBack", why, r)
}

// failed is why an update that is over did not succeed; nil when it did, or nobody said.
func (u *Update) failed() *Failure {
	switch {
	case u.State == "Committed" || u.State == "Checked":
		return nil // what is noted was tried again
	case u.Cause != nil:
		return u.Cause
	}
	return u.Error
}

// probed folds how far the probation is.
func (s *Fold) probed(r Record) {
	p := s.Probation
	switch {
	case p == nil:
	case r.Probed.Over:
		s.Probation = nil
	default:
		next := *p
		next.Ran, next.Boots, next.Seen = r.Probed.Ran, r.Probed.Boots, r.Instant()
		s.Probation = &next
	}
}

// OwedTo is the oldest notice that a recipient is still to be told; nil for none.
func (s *Fold) OwedTo(recipient string) *Notice {
	for i := range s.Outbox {
		if s.Outbox[i].To == recipient {
			return &s.Outbox[i]
		}
	}
	return nil
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
