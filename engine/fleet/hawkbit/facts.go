package hawkbit

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tope/updater/journal"
)

// keep is how many actions are remembered, the ones shown last.
const keep = 16

// facts are what has to be remembered of answers. hawkBit never uses the id of an action
// again, but a server that was set up anew does, and for goosebit it is the software's.
// So an action whose id was used before has the number of times in the Action of its
// Origin: 7, and then 7#2, which no server can have for an id.
type facts struct {
	Actions []action `json:"actions,omitempty"`
	// Done is the mark of the offer that was told as a success last.
	Done string `json:"done,omitempty"`
}

// action is one that the server has shown.
type action struct {
	ID    string `json:"id"`
	Times int    `json:"times"`
	// Fetch: it is to be downloaded only, and the server ends it when it is.
	Fetch bool `json:"fetch,omitempty"`
	// Over: it is not shown any more, so that the same id is another offer.
	Over bool `json:"over,omitempty"`
}

// remembered reads facts. What cannot be read is as good as nothing.
func remembered(text json.RawMessage) facts {
	var f facts
	_ = json.Unmarshal(text, &f) // see above
	return f
}

func (f *facts) text() string {
	text, _ := json.Marshal(f) // of numbers and texts
	return string(text)
}

// see notes which action is shown; empty for none. accepted is the Action of the offer
// that the device has open. Where a server shows several in turn, those that ended reports
// nothing of go on.
func (f *facts) see(id, accepted string, ended func(name string) bool) {
	for i := range f.Actions {
		if a := &f.Actions[i]; a.ID != id && (id == "" || a.name() == accepted || ended(a.name())) {
			a.Over = true
		}
	}
}

// find is what is known of an action; nil for nothing.
func (f *facts) find(id string) *action {
	if i := slices.IndexFunc(f.Actions, func(a action) bool { return a.ID == id }); i >= 0 {
		return &f.Actions[i]
	}
	return nil
}

// offered notes that an action is offered, and returns its name.
func (f *facts) offered(id string, fetch bool) string {
	now := action{ID: id, Times: 1, Fetch: fetch}
	if a := f.find(id); a != nil {
		if now.Times = a.Times; !a.Over {
			a.Fetch = fetch
			return a.name()
		}
		now.Times++
	}
	f.Actions = append(slices.DeleteFunc(f.Actions, func(a action) bool { return a.ID == id }), now)
	f.Actions = f.Actions[max(0, len(f.Actions)-keep):]
	return now.name()
}

// name is the Action of the offer's Origin.
func (a action) name() string {
	if a.Times < 2 {
		return a.ID
	}
	return a.ID + "#" + strconv.Itoa(a.Times)
}

// id is the server's name for an offer.
func id(o journal.Origin) string {
	id, _, _ := strings.Cut(o.Action, "#")
	return id
}

// before reports whether the offer was made by an earlier use of the action's id.
func before(o journal.Origin, a action) bool {
	_, text, _ := strings.Cut(o.Action, "#")
	times, err := strconv.Atoi(text)
	return a.Times > 1 && (err != nil || times < a.Times)
}

// mark names an offer in one word.
func mark(o journal.Origin) string { return o.Action + " " + o.Digest }
