package hawkbit

import (
	"encoding/json"
	"strconv"

	"github.com/tope/updater/journal"
)

// keepOpen is how many actions are remembered. hawkBit shows one at a time; several are
// open only where it allows several assignments.
const keepOpen = 8

// facts are what has to be remembered of answers. hawkBit never uses the id of an action
// again, but a server that was set up anew does, and for goosebit it is the software's.
// So each offer has a number that is its own, and keeps it as long as it is shown.
type facts struct {
	// Count is the number that was given last.
	Count int `json:"count"`
	// Open has the actions that are not known to be over, by their id.
	Open map[string]shown `json:"open,omitempty"`
	// Done is the mark of the offer that was told as a success last.
	Done string `json:"done,omitempty"`
}

// shown is an action that the server has shown.
type shown struct {
	Number int `json:"number"`
	// Fetch: it is to be downloaded only, so that it is over when it is.
	Fetch bool `json:"fetch,omitempty"`
	// Gone: it is not shown any more, and the device has not let go of it.
	Gone bool `json:"gone,omitempty"`
}

// remembered reads facts. What cannot be read is as good as nothing.
func remembered(text json.RawMessage) facts {
	var f facts
	_ = json.Unmarshal(text, &f) // see above
	if f.Open == nil {
		f.Open = map[string]shown{}
	}
	return f
}

func (f facts) text() string {
	text, _ := json.Marshal(f) // of numbers and texts
	return string(text)
}

// see notes which action is shown, and accepted, the one that the device has open; each is
// empty for none. over reports whether the server has heard of an action's end.
func (f *facts) see(action, accepted string, over func(id string, s shown) bool) {
	for id, s := range f.Open {
		switch {
		case id == action:
		case id == accepted:
			s.Gone = true
			f.Open[id] = s
		case action == "" || s.Gone || over(id, s):
			delete(f.Open, id)
		}
	}
}

// number gives an action that is offered its number.
func (f *facts) number(action string, fetch bool) int {
	s, known := f.Open[action]
	if !known || s.Gone {
		f.Count++
		s = shown{Number: f.Count}
	}
	s.Fetch = fetch
	f.Open[action] = s
	for len(f.Open) > keepOpen {
		oldest := action
		for id, s := range f.Open {
			if s.Number < f.Open[oldest].Number {
				oldest = id
			}
		}
		delete(f.Open, oldest)
	}
	return s.Number
}

// numbered is the Digest of an offer: what it brings, and its number.
func numbered(what string, number int) string { return what + "#" + strconv.Itoa(number) }

// mark names an offer in one word.
func mark(o journal.Origin) string { return o.Action + " " + o.Digest }
