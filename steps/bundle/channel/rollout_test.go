package channel_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/steps/bundle/channel"
)

// rollouts are any that the format allows, some with fractions of a second.
func rollouts() *rapid.Generator[channel.Rollout] {
	return rapid.Custom(func(t *rapid.T) channel.Rollout {
		r := channel.Rollout{
			Seed:    "s",
			Start:   today().Add(time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "start"))),
			Percent: channel.Percent(rapid.Int64Range(0, 10_000).Draw(t, "percent")),
		}
		if rapid.Bool().Draw(t, "grows") {
			r.Hours = rapid.Int64Range(1, 8760).Draw(t, "hours")
			r.To = channel.Percent(rapid.Int64Range(max(1, int64(r.Percent)), 10_000).Draw(t, "to"))
		}
		return r
	})
}

// The share grows, and stays between what the rollout says; a device that is in stays in,
// and comes in exactly when it is told that it is due.
func TestARolloutGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rollouts().Draw(t, "rollout")
		p := channel.Place(rapid.Int64Range(0, int64(channel.Last)).Draw(t, "place"))
		after := func(name string) time.Time {
			return r.Start.Add(time.Duration(rapid.Int64Range(-3600, 8760*3600).Draw(t, name)) * time.Second)
		}
		a, b := after("a"), after("b")
		if b.Before(a) {
			a, b = b, a
		}
		require.LessOrEqual(t, r.Share(a), r.Share(b))
		require.LessOrEqual(t, r.Share(b), int64(r.Most())*100_000)
		require.False(t, r.In(p, a) && !r.In(p, b))
		if !a.Before(r.Start) {
			require.GreaterOrEqual(t, r.Share(a), int64(r.Percent)*100_000)
		}
		due, ok := r.Due(p)
		end := r.Start.Add(time.Duration(r.Hours)*time.Hour + time.Second)
		require.Equal(t, r.In(p, end), ok)
		if ok {
			require.True(t, r.In(p, due))
			require.False(t, r.In(p, due.Add(-time.Second)))
		}
	})
}

// The places are spread evenly: any share of them has its part of ten thousand devices.
// With the chance of a share p, more than 6 deviations come once in 500 million trials, and
// the ids are always the same.
func TestPlacesAreEven(t *testing.T) {
	const devices = 10_000
	for _, seed := range []string{"1.3.0", "stable/1.3.0", "stable/1.3.1", ""} {
		counts := map[channel.Percent]int{}
		shares := []channel.Percent{10, 100, 500, 2500, 5000, 9000, channel.All}
		for i := range devices {
			place := channel.PlaceOf(seed, fmt.Sprintf("device-%d", i))
			for _, p := range shares {
				r := channel.Rollout{Seed: seed, Start: today(), Percent: p}
				if r.In(place, today()) {
					counts[p]++
				}
			}
		}
		for _, p := range shares {
			want := float64(devices) * float64(p) / 10_000
			off := float64(counts[p]) - want
			require.LessOrEqual(t, off*off, 36*want*(1-float64(p)/10_000), "%s: %d of %v", seed, counts[p], want)
		}
	}
}

// The format's own numbers: a program in another language can be tried with them.
func TestPlacesAreTheFormats(t *testing.T) {
	for _, c := range []struct {
		seed, device string
		place        channel.Place
	}{
		{"stable/1.3.0", "device-1", 701_726_996},
		{"stable/1.3.0", "device-2", 23_749_636},
		{"1.3.0/1", "", 780_127_930},
	} {
		require.Equal(t, c.place, channel.PlaceOf(c.seed, c.device), "%s %s", c.seed, c.device)
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]channel.Percent{"0": 0, "5": 500, "12.5": 1250, "0.01": 1, "100": 10_000, "100.00": 10_000, "99.99": 9999} {
		p, err := channel.ParsePercent(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p, text)
		again, err := channel.ParsePercent(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)
	}
	for _, text := range []string{"", "-1", "+1", "100.01", "101", "1.", ".5", "1.234", "1e2", "05", "5 %", `"5"`, "0x5", "1.2.3", "99999999999999999999"} {
		_, err := channel.ParsePercent(text)
		require.Error(t, err, text)
	}
}

// The first and the last: canaries begin with the first device, unless nobody may; the last
// begin with the last.
func TestEarlyAndLate(t *testing.T) {
	choose := func(p channel.Percent, early, late bool, at time.Time) channel.Reason {
		r := release("1.1.0", "a")
		r.Rollout.Percent = p
		d := device()
		d.Early, d.Late = early, late
		return stable(8, r).Choose(d, at).Reason
	}
	require.Equal(t, channel.Offered, choose(1, true, false, today()))
	require.Equal(t, channel.Waiting, choose(0, true, false, today()))
	require.Equal(t, channel.Waiting, choose(channel.All, true, false, today().Add(-25*time.Hour)), "before its start")
	require.Equal(t, channel.Waiting, choose(channel.All-1, false, true, today()))
	require.Equal(t, channel.Offered, choose(channel.All, false, true, today()))
}
