package fleet

import (
	"fmt"
	"slices"
	"time"
)

// Window is a time of the week in which updates may be installed, as people write it.
type Window struct {
	// Days are those on which it opens, of "mon" to "sun"; none means every day.
	Days []string
	// From and To are "HH:MM" by the wall clock of the zone. With a To that is not
	// after From the window ends on the next day. To may be "24:00".
	From, To string
}

// maxWindows is how many windows there may be.
const maxWindows = 100

const (
	day   = 24 * time.Hour
	week  = 7 * day
	hhmm  = `"HH:MM", like "05:30"`
	names = "mon, tue, wed, thu, fri, sat, sun"
)

// Windows are the maintenance windows of a device. The zero value has none, and is always
// open. They are never changed, so that any number of goroutines may use them.
//
// A moment is in a window when the wall clock of the zone says so then. So an hour that a
// change of the clocks repeats is in its window both times, and a window that would open
// in an hour that the change leaves out opens at the end of that hour, or not at all when
// it would shut in there too. By the wall clock no window lasts longer than a day.
type Windows struct {
	zone *time.Location
	list []span
}

// span is a window: from and to since midnight of the days on which it opens. to is after
// from, and by a day at most.
type span struct {
	days     [7]bool // by time.Weekday
	from, to time.Duration
}

// ParseWindows reads a list of windows whose times are those of a zone; nil is UTC. An
// error names the window, counted from 1, and says what to write.
func ParseWindows(list []Window, zone *time.Location) (Windows, error) {
	if zone == nil {
		zone = time.UTC
	}
	if len(list) > maxWindows {
		return Windows{}, fmt.Errorf("there are %d windows, more than the %d allowed; join some", len(list), maxWindows)
	}
	w := Windows{zone: zone}
	for i, l := range list {
		s, err := l.parse()
		if err != nil {
			return Windows{}, fmt.Errorf("window %d: %w", i+1, err)
		}
		w.list = append(w.list, s)
	}
	return w, nil
}

func (w Window) parse() (s span, err error) {
	for _, name := range w.Days {
		i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, name)
		if i < 0 {
			return s, fmt.Errorf("days: %.40q is not a day; write one of %s", name, names)
		}
		s.days[i] = true
	}
	if len(w.Days) == 0 {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	var ok bool
	if s.from, ok = sinceMidnight(w.From); !ok || s.from == day {
		return s, fmt.Errorf("from: %.40q is not a time of the day; write it as %s", w.From, hhmm)
	}
	if s.to, ok = sinceMidnight(w.To); !ok {
		return s, fmt.Errorf("to: %.40q is not a time of the day; write it as %s", w.To, hhmm)
	}
	if s.to <= s.from {
		s.to += day
	}
	return s, nil
}

// sinceMidnight reads "HH:MM", up to "24:00".
func sinceMidnight(text string) (time.Duration, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	h, m := int(text[0]-'0')*10+int(text[1]-'0'), int(text[3]-'0')*10+int(text[4]-'0')
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	return d, m < 60 && d <= day
}

// Open reports whether a window is open at t, and until when: windows that overlap or
// follow each other without a gap count as one. until is zero when nothing is open, and
// when none ever shuts.
func (w Windows) Open(t time.Time) (open bool, until time.Time) {
	if len(w.list) == 0 {
		return true, time.Time{}
	}
	if t = w.local(t); !w.has(t) {
		return false, time.Time{}
	}
	until, _ = w.change(t)
	return true, until
}

// Next is when a window opens next after t, the one that may be open at t apart. ok is
// false when none ever does, because none ever shuts.
func (w Windows) Next(t time.Time) (opens time.Time, ok bool) {
	if len(w.list) == 0 {
		return time.Time{}, false
	}
	if t = w.local(t); w.has(t) {
		if t, ok = w.change(t); !ok {
			return time.Time{}, false
		}
	}
	return w.change(t)
}

// local is t by the clock of the zone. That drops the reading of a monotonic clock, too:
// what counts is what the wall clock says, also when that is set in between.
func (w Windows) local(t time.Time) time.Time { return t.In(w.zone) }

// has reports whether a window is open at t, by the wall clock.
func (w Windows) has(t time.Time) bool {
	today, now := t.Weekday(), wall(t)
	yesterday := (today + 6) % 7
	return slices.ContainsFunc(w.list, func(s span) bool {
		return s.days[today] && s.from <= now && now < s.to || s.days[yesterday] && now+day < s.to
	})
}

// change is the first moment after t at which w.has changes. It lies less than two weeks
// ahead, if there is one: each minute of a week comes by within a week, and a change of
// the clocks leaves it out once at most.
func (w Windows) change(t time.Time) (time.Time, bool) {
	is := w.has(t)
	for end := t.Add(3 * week); t.Before(end); {
		if t = w.edge(t); w.has(t) != is {
			return t, true
		}
	}
	return time.Time{}, false
}

// edge is the first moment after t at which anything can change: a window begins or ends
// by the wall clock, a day begins, or the clocks are changed.
func (w Windows) edge(t time.Time) time.Time {
	now := wall(t)
	next := day
	for _, s := range w.list {
		for _, at := range []time.Duration{s.from, s.to, s.to - day} {
			if at > now && at < next {
				next = at
			}
		}
	}
	at := t.Add(next - now)
	if _, changed := t.ZoneBounds(); !changed.IsZero() && changed.Before(at) {
		return changed
	}
	return at
}

// wall is how long after midnight the wall clock is.
func wall(t time.Time) time.Duration {
	h, m, s := t.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
}
