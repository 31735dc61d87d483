package fleettest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// Script is a fleet.Source in the hands of a test of the loop: it answers what it was told
// to, and keeps what it hears. It is safe for concurrent use.
type Script struct {
	// Silent: Tell tells nobody.
	Silent bool
	// Other is its name; "script" when it is empty.
	Other string
	// At is its Place; "http://server" when it is empty.
	At string
	// See is called with each word before it is kept; nil sees nothing.
	See func(word string)

	mu       sync.Mutex
	answer   fleet.Answer
	down     error
	deaf     func(journal.Notice) error
	asked    []time.Time
	question fleet.Question
	words    []string
	told     []journal.Notice
}

var _ fleet.Source = (*Script)(nil)

// Offer is an offer of a release.
func Offer(action, version, digest string) *fleet.Offer {
	return &fleet.Offer{
		Origin:  journal.Origin{Source: "script", Action: action, Digest: digest},
		Source:  steps.Source{URL: source.New("http://server/bundle"), Digest: digest},
		Version: version, Text: "version " + version, Do: fleet.Install,
	}
}

// Answers is what each question is answered with from now on.
func (s *Script) Answers(a fleet.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

// Offers is Answers with an offer; nil for none.
func (s *Script) Offers(o *fleet.Offer) { s.Answers(fleet.Answer{Offer: o, Text: "script"}) }

// Fails lets each question fail from now on; nil ends that.
func (s *Script) Fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// Deaf says of each notice why it is not taken; nil takes all.
func (s *Script) Deaf(to func(journal.Notice) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = to
}

// Asked is when it was asked, of this bubble's time.
func (s *Script) Asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Question is the newest.
func (s *Script) Question() fleet.Question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.question
}

// Words are all that it heard besides questions since the last call: "1 Downloading",
// "1 Committed, the end", "confirm 1", "deny 1: why", "uncancel 1", "attributes a=b".
func (s *Script) Words() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.words
	s.words = nil
	return all
}

// Told are all notices that were taken.
func (s *Script) Told() []journal.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

func (s *Script) hear(word string) {
	if s.See != nil {
		s.See(word)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = append(s.words, word)
}

// Name is Other, or "script".
func (s *Script) Name() string { return cmp.Or(s.Other, "script") }

// Place is a URL.
func (s *Script) Place() string { return cmp.Or(s.At, "http://server") }

// Listens is true unless it is Silent.
func (s *Script) Listens() bool { return !s.Silent }

// Ask implements fleet.Source.
func (s *Script) Ask(_ context.Context, q fleet.Question) (fleet.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.question = append(s.asked, time.Now()), q
	if s.down != nil {
		return fleet.Answer{}, s.down
	}
	return s.answer, nil
}

// Identify implements fleet.Source.
func (s *Script) Identify(_ context.Context, attributes map[string]string) error {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		list = append(list, k+"="+attributes[k])
	}
	s.hear("attributes " + strings.Join(list, " "))
	return nil
}

// Confirm implements fleet.Source.
func (s *Script) Confirm(_ context.Context, o journal.Origin, yes bool, why string) error {
	if yes {
		s.hear("confirm " + o.Action)
	} else {
		s.hear("deny " + o.Action + ": " + why)
	}
	return nil
}

// Uncancel implements fleet.Source.
func (s *Script) Uncancel(_ context.Context, o journal.Origin, _ string) error {
	s.hear("uncancel " + o.Action)
	return nil
}

// Tell implements fleet.Source.
func (s *Script) Tell(_ context.Context, n journal.Notice) error {
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf != nil {
		if err := deaf(n); err != nil {
			return err
		}
	}
	word := fmt.Sprintf("%s %s", n.Origin.Action, n.State)
	if n.Error != nil && n.Error.Code != "" {
		word += " " + n.Error.Code
	}
	if n.End {
		word += ", the end"
	}
	s.hear(word)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, n)
	return nil
}
