package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
)

// minute is a minute as a wall clock shows it, "mon" and "02:30", with the day before.
type minute struct{ day, before, clock string }

// in reports whether the clock shows a time of the window: today's, or yesterday's that
// has not ended.
func (m minute) in(w fleet.Window) bool {
	opens := func(day string) bool { return len(w.Days) == 0 || slices.Contains(w.Days, day) }
	if w.To > w.From {
		return opens(m.day) && w.From <= m.clock && m.clock < w.To
	}
	return opens(m.day) && w.From <= m.clock || opens(m.before) && m.clock < w.To
}

// calendar is what the wall clock of a zone shows in each minute of four weeks, the fourth
// day of which has a change of the clocks.
type calendar struct {
	from    time.Time
	minutes []minute
}

const fourWeeks = 4 * 7 * 24 * 60

func calendarOf(t *testing.T, zone, changes string) calendar {
	t.Helper()
	z, err := time.LoadLocation(zone)
	require.NoError(t, err)
	from, err := time.ParseInLocation(time.DateOnly, changes, z)
	require.NoError(t, err)
	c := calendar{from: from.AddDate(0, 0, -3)}
	before := map[string]string{"mon": "sun", "tue": "mon", "wed": "tue", "thu": "wed", "fri": "thu", "sat": "fri", "sun": "sat"}
	for i := range fourWeeks {
		day, clock, _ := strings.Cut(c.at(i).Format("Mon 15:04"), " ")
		day = strings.ToLower(day)
		c.minutes = append(c.minutes, minute{day, before[day], clock})
	}
	return c
}

func (c calendar) at(i int) time.Time { return c.from.Add(time.Duration(i) * time.Minute) }

// changes are those of "a window is open", minute by minute, seen from behind: at i is the
// first minute after i at which it is not as at i; fourWeeks for none.
func (c calendar) changes(windows []fleet.Window) (open []bool, next []int) {
	open, next = make([]bool, fourWeeks), make([]int, fourWeeks)
	for i := fourWeeks - 1; i >= 0; i-- {
		for _, w := range windows {
			open[i] = open[i] || c.minutes[i].in(w)
		}
		next[i] = fourWeeks
		if i+1 < fourWeeks {
			if next[i] = next[i+1]; open[i] != open[i+1] {
				next[i] = i + 1
			}
		}
	}
	return open, next
}

// TestWindowsByTheMinute compares Open and Next with somebody who looks at the clock each
// minute, for windows by chance around changes of the clocks.
func TestWindowsByTheMinute(t *testing.T) {
	for zone, days := range map[string][]string{
		"Europe/Berlin":       {"2026-03-29", "2026-10-25"},
		"America/New_York":    {"2026-03-08", "2026-11-01"},
		"Asia/Shanghai":       {"2026-03-29"},
		"Australia/Lord_Howe": {"2026-04-05", "2026-10-04"},
		"America/Havana":      {"2026-03-08", "2026-11-01"}, // at midnight
		"Pacific/Apia":        {"2011-12-30"},               // a day that was not
	} {
		z, err := fleet.Zone(zone)
		require.NoError(t, err)
		for _, day := range days {
			random := rand.New(rand.NewPCG(13, 2026))
			c := calendarOf(t, zone, day)
			for range 12 {
				list := chance(random)
				w, err := fleet.ParseWindows(list, z)
				require.NoError(t, err)
				c.compare(t, list, w)
			}
		}
	}
}

// chance is up to three windows, whose times are often near those at which clocks change.
func chance(random *rand.Rand) (list []fleet.Window) {
	clock := func() string {
		if random.IntN(3) == 0 {
			return fmt.Sprintf("%02d:%02d", random.IntN(24), random.IntN(60))
		}
		return fmt.Sprintf("%02d:%02d", random.IntN(5), 15*random.IntN(4))
	}
	for range 1 + random.IntN(3) {
		w := fleet.Window{From: clock(), To: clock()}
		if random.IntN(4) == 0 {
			w.To = "24:00"
		}
		for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
			if random.IntN(2) == 0 {
				w.Days = append(w.Days, day)
			}
		}
		list = append(list, w)
	}
	return list
}

func (c calendar) compare(t *testing.T, list []fleet.Window, w fleet.Windows) {
	t.Helper()
	isOpen, change := c.changes(list)
	moment := func(i int) time.Time {
		if i == fourWeeks {
			return time.Time{}
		}
		return c.at(i)
	}
	// Six days, each 17th minute, and a moment within it.
	for i := 0; i < 6*24*60; i += 17 {
		at := c.at(i).Add(time.Duration(i) * time.Second % time.Minute)
		open, until := w.Open(at)
		shuts, opens := fourWeeks, change[i]
		if isOpen[i] {
			if shuts, opens = change[i], fourWeeks; shuts < fourWeeks {
				opens = change[shuts]
			}
		}
		next, ok := w.Next(at)
		if open != isOpen[i] || !until.Equal(moment(shuts)) || ok != (opens < fourWeeks) || !next.Equal(moment(opens)) {
			t.Fatalf("%v at %s: open %t until %s, next %s; by the minute %t until %s, next %s",
				list, at, open, until, next, isOpen[i], moment(shuts), moment(opens))
		}
	}
}
