package journal

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// foldVersion is the version of Apply. A summary of another version is not used
// but folded again, so that a newer program finds what an older one skipped. It
// goes up whenever Apply learns to read something new.
//
// 2: the quarantine is bounded, updates tell how long they took, and Committed is where
// the journal left the device.
// 3: deaths of the updater for want of memory are counted, and Signed and Forgotten.
// 4: offers, reports, holds and probation.
const foldVersion = 4

// summaryEvery is how many records may follow the summary before it is written
// anew. Writing it with every transaction would cost each a page; folding so
// many at Open costs less than a millisecond.
const summaryEvery = 64

// storedFold is a fold as it is stored: the summary, from which Open folds the
// few records that follow it, or the anchor, which is the state before the
// oldest record that is kept.
type storedFold struct {
	Fold  int   `json:"fold"`
	State *Fold `json:"state"`
	// Born, on the anchor of a new journal, is the number of the newest record
	// that its creation wrote; see Journal.Fresh.
	Born uint64 `json:"born,omitempty"`

	// unknown has the facts in State that only a newer program understands.
	unknown map[string]json.RawMessage
}

func decodeStored(key string, payload []byte) (*storedFold, error) {
	var s storedFold
	var raw struct {
		State map[string]json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, &flaw{DamagedSummary, fmt.Sprintf("the %s cannot be read: %v", key, err)}
	}
	if err := json.Unmarshal(payload, &raw); err != nil || s.State == nil {
		return nil, &flaw{DamagedSummary, "the " + key + " holds no state"}
	}
	for f := range reflect.TypeFor[Fold]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(raw.State, name)
	}
	s.unknown = raw.State
	if s.Fold < foldVersion {
		s.State.Quarantine = bounded(s.State.Quarantine)
		if s.State.Committed == "" {
			// The records before this state may be pruned.
			s.State.Committed = s.State.Last.leftAt("")
		}
	}
	return &s, nil
}

func (s *storedFold) encode(key string) ([]byte, error) {
	payload, err := marshal(s)
	if err != nil || len(s.unknown) == 0 {
		return seal(key, payload), err
	}
	state, err := marshal(s.State)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(state, &all); err != nil {
		return nil, err
	}
	maps.Copy(all, s.unknown)
	payload, err = marshal(map[string]any{"fold": s.Fold, "state": all})
	return seal(key, payload), err
}

// sealed reads the value of a bucket that has one.
func (c *contents) sealed(name string) ([]byte, error) {
	t, err := c.im.bucket(name)
	if err != nil {
		return nil, err
	}
	value, err := c.im.get(t, name)
	if err != nil {
		return nil, err
	}
	payload, ok := unseal(name, value)
	if !ok {
		err = &flaw{DamagedSummary, "the " + name + " does not match its checksum"}
	}
	return payload, err
}

func (c *contents) stored(name string) (*storedFold, error) {
	payload, err := c.sealed(name)
	if err != nil {
		return nil, err
	}
	return decodeStored(name, payload)
}
