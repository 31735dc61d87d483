package journal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

func TestTimeBetweenTwoMoments(t *testing.T) {
	day := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	unset := time.Date(1970, 1, 1, 0, 0, 9, 0, time.UTC)
	at := func(wall time.Time, mono time.Duration, boot string) journal.Instant {
		return journal.Instant{Time: wall, Mono: mono, Boot: boot}
	}
	for name, tt := range map[string]struct {
		from, to journal.Instant
		want     time.Duration
		sure     bool
	}{
		"one boot":                              {at(day, time.Hour, "a"), at(day.Add(time.Minute), time.Hour+time.Minute, "a"), time.Minute, true},
		"NTP sets the clock":                    {at(unset, 9*time.Second, "a"), at(day, 21*time.Second, "a"), 12 * time.Second, true},
		"the clock goes back in one boot":       {at(day, time.Hour, "a"), at(day.Add(-time.Hour), 61*time.Minute, "a"), time.Minute, true},
		"a reboot":                              {at(day, time.Hour, "a"), at(day.Add(time.Minute), 30*time.Second, "b"), time.Minute, true},
		"a reboot, a clock some seconds behind": {at(day, time.Hour, "a"), at(day.Add(25*time.Second), 30*time.Second, "b"), 30 * time.Second, true},
		"a reboot without a clock":              {at(day, time.Hour, "a"), at(unset, 9*time.Second, "b"), 9 * time.Second, false},
		"the clock was set over a reboot":       {at(unset, time.Hour, "a"), at(day, 40*time.Second, "b"), 40 * time.Second, false},
		"a reboot, and the clock went back":     {at(day, time.Hour, "a"), at(day.Add(-time.Hour), 5*time.Second, "b"), 5 * time.Second, false},
		"a reboot, a clock that stood still":    {at(day, time.Hour, "a"), at(day, 20*time.Minute, "b"), 20 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, sure := tt.from.Until(tt.to)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.sure, sure)
		})
	}
}

// The list of updates once said 20786 days of an update that took a minute,
// during which the clock was set for the first time.
func TestAnUpdateDuringWhichTheClockIsSet(t *testing.T) {
	s := &journal.Fold{}
	at := func(seq uint64, wall time.Time, mono time.Duration, boot string, r journal.Record) {
		r.Seq, r.Time, r.Mono, r.Boot, r.Update, r.Phase = seq, wall, mono, boot, "u", journal.Outcome
		s = journal.Apply(s, r)
	}
	unset, day := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC), time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	at(1, unset, time.Minute, "a", journal.Record{To: "Requested", Accept: &journal.Accept{Kind: "install"}})
	at(2, day, 90*time.Second, "a", journal.Record{To: "Switching"})
	require.Equal(t, 30*time.Second, s.Open.Took)
	at(3, day.Add(time.Minute), 20*time.Second, "b", journal.Record{To: "Restarting"})
	at(4, day.Add(2*time.Minute), 80*time.Second, "b", journal.Record{To: "Committed", Terminal: true})
	require.Equal(t, 150*time.Second, s.Open.Took)
	at(5, day.Add(time.Hour), time.Hour, "b", journal.Record{Closed: true})
	require.Equal(t, 150*time.Second, s.Last.Took, "the clean-up is not part of it")

	at(6, day, time.Minute, "c", journal.Record{To: "Requested", Accept: &journal.Accept{Kind: "install"}})
	at(7, unset, 9*time.Second, "d", journal.Record{To: "Failed", Terminal: true})
	require.True(t, s.Open.TookUnsure)
}
