package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/journal"
)

// The clock was set by NTP during an update: the list said 20786 days where the
// story told the truth.
func TestTheListTakesAsLongAsTheStory(t *testing.T) {
	unset, day := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC), time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		end  journal.Instant
		took string
	}{
		"set while it runs":    {journal.Instant{Time: day, Mono: 73 * time.Second, Boot: "a"}, "13.0 s"},
		"set over a reboot":    {journal.Instant{Time: day, Mono: 20 * time.Second, Boot: "b"}, "at least 20.0 s"},
		"set back by an hour":  {journal.Instant{Time: unset.Add(-time.Hour), Mono: 73 * time.Second, Boot: "a"}, "13.0 s"},
		"never set, a reboot":  {journal.Instant{Time: unset.Add(time.Hour), Mono: 20 * time.Second, Boot: "b"}, "at least 20.0 s"},
		"nothing out of order": {journal.Instant{Time: unset.Add(5 * time.Second), Mono: 65 * time.Second, Boot: "a"}, "5.0 s"},
	} {
		t.Run(name, func(t *testing.T) {
			recs := []journal.Record{
				{Seq: 1, Time: unset, Mono: time.Minute, Boot: "a", Update: "u", Phase: journal.Outcome, To: "Requested", Accept: &journal.Accept{Kind: "install", From: "1.0.0"}},
				{Seq: 2, Time: tt.end.Time, Mono: tt.end.Mono, Boot: tt.end.Boot, Update: "u", Phase: journal.Outcome, From: "Staging", To: "Failed", Terminal: true},
			}
			var list, story bytes.Buffer
			(&terminal{out: &list}).updates(journal.History(&journal.Fold{}, recs))
			require.Contains(t, list.String(), "  "+tt.took+"\n")
			(&terminal{out: &story}).timeline(timeline.Build(recs))
			require.Contains(t, story.String(), "Failed after "+tt.took+"\n")
		})
	}
}
