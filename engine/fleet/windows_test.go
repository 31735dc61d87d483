package fleet_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
)

// windows reads "mon,fri 22:00-05:00; sat 00:00-24:00"; "*" is every day.
func windows(t *testing.T, zone, text string) fleet.Windows {
	t.Helper()
	z, err := fleet.Zone(zone)
	require.NoError(t, err)
	w, err := fleet.ParseWindows(list(text), z)
	require.NoError(t, err)
	return w
}

func list(text string) (all []fleet.Window) {
	for one := range strings.SplitSeq(text, "; ") {
		days, times, _ := strings.Cut(one, " ")
		var w fleet.Window
		if days != "*" {
			w.Days = strings.Split(days, ",")
		}
		w.From, w.To, _ = strings.Cut(times, "-")
		all = append(all, w)
	}
	return all
}

// TestWindows has moments in UTC or with their offset, and what is to be told of them, by
// the wall clock of the zone. "-" is never.
func TestWindows(t *testing.T) {
	const (
		berlin, newYork  = "Europe/Berlin", "America/New_York"
		shanghai, island = "Asia/Shanghai", "Australia/Lord_Howe"
	)
	for _, c := range []struct{ zone, windows, at, until, next string }{
		// November 30, 2026 is a Monday.
		{"UTC", "* 22:00-05:00", "2026-11-30T21:59:59Z", "shut", "2026-11-30T22:00:00Z"},
		{"UTC", "* 22:00-05:00", "2026-11-30T22:00:00Z", "2026-12-01T05:00:00Z", "2026-12-01T22:00:00Z"},
		{"UTC", "* 22:00-05:00", "2026-12-01T04:59:59.9Z", "2026-12-01T05:00:00Z", "2026-12-01T22:00:00Z"},
		{"UTC", "* 22:00-05:00", "2026-12-01T05:00:00Z", "shut", "2026-12-01T22:00:00Z"},
		{"UTC", "mon 22:00-05:00", "2026-12-01T04:00:00Z", "2026-12-01T05:00:00Z", "2026-12-07T22:00:00Z"},
		{"UTC", "sun 22:00-05:00", "2026-11-30T04:00:00Z", "2026-11-30T05:00:00Z", "2026-12-06T22:00:00Z"},
		{"UTC", "mon 22:00-24:00", "2026-11-30T23:30:00Z", "2026-12-01T00:00:00Z", "2026-12-07T22:00:00Z"},
		{"UTC", "mon 22:00-00:00", "2026-11-30T23:30:00Z", "2026-12-01T00:00:00Z", "2026-12-07T22:00:00Z"},
		{"UTC", "mon 08:00-08:00", "2026-12-01T07:59:00Z", "2026-12-01T08:00:00Z", "2026-12-07T08:00:00Z"},
		{"UTC", "mon 00:00-24:00; tue 00:00-02:00; tue 01:00-03:00", "2026-11-30T12:00:00Z", "2026-12-01T03:00:00Z", "2026-12-07T00:00:00Z"},
		{"UTC", "mon 10:00-12:00; mon 10:30-11:00", "2026-11-30T10:45:00Z", "2026-11-30T12:00:00Z", "2026-12-07T10:00:00Z"},
		{"UTC", "* 00:00-24:00", "2026-11-30T12:00:00Z", "-", "-"},
		{"UTC", "* 06:00-06:00", "2026-11-30T12:00:00Z", "-", "-"},
		{"UTC", "* 00:00-12:00; * 12:00-00:00", "2026-11-30T12:00:00Z", "-", "-"},

		{shanghai, "mon,tue 22:00-05:00", "2026-11-30T14:00:00Z", "2026-12-01T05:00:00+08:00", "2026-12-01T22:00:00+08:00"},
		{shanghai, "mon 00:00-01:00", "2026-11-29T15:59:00Z", "shut", "2026-11-30T00:00:00+08:00"},
		{berlin, "mon 22:00-05:00", "2026-11-30T22:30:00Z", "2026-12-01T05:00:00+01:00", "2026-12-07T22:00:00+01:00"},

		// The clocks leave an hour out: 02:00 to 03:00 in Berlin, 02:00 to 02:30 on the island.
		{berlin, "* 02:30-04:00", "2026-03-29T02:00:00+02:00", "shut", "2026-03-29T03:00:00+02:00"},
		{berlin, "* 02:30-04:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		{berlin, "* 01:30-02:30", "2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T01:30:00+02:00"},
		{berlin, "* 02:10-02:50", "2026-03-28T12:00:00+01:00", "shut", "2026-03-30T02:10:00+02:00"},
		{berlin, "sun 02:10-02:50", "2026-03-28T12:00:00+01:00", "shut", "2026-04-05T02:10:00+02:00"},
		{berlin, "sat 22:00-05:00", "2026-03-28T23:00:00+01:00", "2026-03-29T05:00:00+02:00", "2026-04-04T22:00:00+02:00"},
		{newYork, "sun 02:30-04:00", "2026-03-08T00:00:00-05:00", "shut", "2026-03-08T03:00:00-04:00"},
		{island, "sun 02:15-03:00", "2026-10-04T01:59:00+10:30", "shut", "2026-10-04T02:30:00+11:00"},

		// They repeat one: 02:00 to 03:00, 01:00 to 02:00 in New York, 01:30 to 02:00 on the island.
		{berlin, "* 02:00-03:00", "2026-10-25T02:10:00+02:00", "2026-10-25T03:00:00+01:00", "2026-10-26T02:00:00+01:00"},
		{berlin, "* 02:00-02:30", "2026-10-25T02:10:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"},
		{berlin, "* 02:00-02:30", "2026-10-25T02:10:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:00:00+01:00"},
		{berlin, "sat 22:00-05:00", "2026-10-24T23:00:00+02:00", "2026-10-25T05:00:00+01:00", "2026-10-31T22:00:00+01:00"},
		{newYork, "sun 01:30-03:00", "2026-11-01T01:40:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00"},
		{island, "sun 01:45-03:00", "2026-04-05T01:50:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30"},

		// Clocks that are far off.
		{newYork, "mon 22:00-05:00", "1970-01-01T00:00:00Z", "shut", "1970-01-05T22:00:00-05:00"},
		{berlin, "mon 22:00-05:00", "2099-07-01T00:00:00Z", "shut", "2099-07-06T22:00:00+02:00"},
		// A whole Friday was left out on Samoa, at the end of 2011.
		{"Pacific/Apia", "fri 10:00-12:00", "2011-12-29T12:00:00-10:00", "shut", "2012-01-06T10:00:00+14:00"},
		// An offset with seconds.
		{"Africa/Monrovia", "* 12:00-13:00", "1971-01-01T00:00:00Z", "shut", "1971-01-01T12:44:30Z"},
	} {
		w := windows(t, c.zone, c.windows)
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		open, until := w.Open(at)
		require.Equal(t, c.until != "shut", open, "%+v", c)
		same(t, c.until, until, c)
		next, ok := w.Next(at)
		require.Equal(t, c.next != "-", ok, "%+v", c)
		same(t, c.next, next, c)
	}
}

func same(t *testing.T, want string, got time.Time, c any) {
	t.Helper()
	if want == "-" || want == "shut" {
		require.True(t, got.IsZero(), "%+v: %s", c, got)
		return
	}
	moment, err := time.Parse(time.RFC3339, want)
	require.NoError(t, err)
	require.True(t, moment.Equal(got), "want %s of %+v: %s", want, c, got)
}

func TestNoWindowsAreAlwaysOpen(t *testing.T) {
	parsed, err := fleet.ParseWindows(nil, nil)
	require.NoError(t, err)
	for _, w := range []fleet.Windows{{}, parsed} {
		open, until := w.Open(time.Now())
		require.True(t, open)
		require.Zero(t, until)
		_, ok := w.Next(time.Now())
		require.False(t, ok)
	}
}

// TestMomentsAreOfTheWallClock: a device's clock is set while an update waits, and the
// monotonic clock must not have a say in how long.
func TestMomentsAreOfTheWallClock(t *testing.T) {
	w := windows(t, "UTC", "* 22:00-05:00; * 10:00-12:00")
	next, ok := w.Next(time.Now())
	require.True(t, ok)
	require.NotContains(t, next.String(), "m=")
	_, until := w.Open(next)
	require.NotContains(t, until.String(), "m=")
}

func TestWindowsThatAreNotOnes(t *testing.T) {
	for text, want := range map[string]string{
		"mond 22:00-05:00":           `window 1: days: "mond" is not a day; write one of mon, tue, wed, thu, fri, sat, sun`,
		"Mon 22:00-05:00":            `window 1: days: "Mon" is not a day`,
		"* 22:00-05:00; , 1:00-2:00": `window 2: days: "" is not a day`,
		"* 24:00-05:00":              `window 1: from: "24:00" is not a time of the day; write it as "HH:MM", like "05:30"`,
		"* 22:00-24:01":              `window 1: to: "24:01" is not a time`,
		"* 22:60-24:00":              `window 1: from: "22:60" is not a time`,
		"* 22:00":                    `window 1: to: "" is not a time`,
		"* 9:00-10:00":               `window 1: from: "9:00" is not a time`,
		"* +9:00-10:00":              `window 1: from: "+9:00" is not a time`,
		"* 10:00-11.30":              `window 1: to: "11.30" is not a time`,
		"* 10:00-25:00":              `window 1: to: "25:00" is not a time`,
		"* 10:00-10\n00":             `window 1: to: "10\n00" is not a time`,
		strings.Repeat("* 10:00-11:00; ", 100) + "* 12:00-13:00": "there are 101 windows, more than the 100 allowed",
	} {
		_, err := fleet.ParseWindows(list(text), time.UTC)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}
