package fleet_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
)

func ids(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("device-%05d", i) // ids as people make them: almost equal
	}
	return all
}

// busiest is how many of the moments lie in the fullest span of this length.
func busiest(moments []time.Duration, span time.Duration) (most int) {
	slices.Sort(moments)
	from := 0
	for i, m := range moments {
		for m-moments[from] >= span {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// TestNoHerd: ten thousand devices that start in the same second ask evenly, at first and
// later on. The mean of a twentieth of the interval is 500 polls; the fullest has no more
// than chance gives it.
func TestNoHerd(t *testing.T) {
	const devices, interval, intervals = 10_000, 6 * time.Hour, 5
	var first, all []time.Duration
	for _, id := range ids(devices) {
		at := fleet.FirstPoll(id, interval)
		first = append(first, at)
		for n := uint64(1); at < intervals*interval; n++ {
			all = append(all, at)
			at += fleet.Later(id, n, interval)
		}
	}
	const mean = devices / 20
	require.LessOrEqual(t, busiest(first, interval/20), mean*5/4)
	require.LessOrEqual(t, busiest(all, interval/20), mean*5/4)
	require.InDelta(t, devices*intervals, len(all), devices/20, "no device is left out")
	require.Less(t, slices.Max(first), interval*11/10)
	early := 0
	for _, at := range first {
		if at < interval/20 {
			early++
		}
	}
	require.InDelta(t, mean, early, mean/4, "the spread begins at once")
}

// TestNoHerdAfterAnOutage: a server that has been away for a day gets no more than 1.5 of
// the mean load when it is back, whatever the interval.
func TestNoHerdAfterAnOutage(t *testing.T) {
	for _, interval := range []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour} {
		const devices, away = 10_000, 24 * time.Hour
		var back []time.Duration
		for _, id := range ids(devices) {
			at, n := fleet.FirstPoll(id, interval), 1
			for ; at < away; n++ {
				at += fleet.BackOff(id, n, interval)
			}
			for ; at < away+2*interval; n++ {
				back = append(back, at)
				at += fleet.Later(id, uint64(n), interval)
			}
		}
		require.LessOrEqual(t, busiest(back, interval/20), devices/20*3/2, "every %s", interval)
	}
}

func TestLaterIsTheIntervalAndATenth(t *testing.T) {
	const interval = time.Hour
	var drawn []time.Duration
	for n := range uint64(1000) {
		drawn = append(drawn, fleet.Later("a", n, interval))
	}
	require.Equal(t, drawn[7], fleet.Later("a", 7, interval), "the same again")
	require.NotEqual(t, drawn[7], fleet.Later("b", 7, interval))
	slices.Sort(drawn)
	require.Len(t, slices.Compact(slices.Clone(drawn)), 1000)
	require.GreaterOrEqual(t, drawn[0], 54*time.Minute)
	require.Less(t, drawn[0], 55*time.Minute)
	require.Greater(t, drawn[999], 65*time.Minute)
	require.LessOrEqual(t, drawn[999], 66*time.Minute)
}

// TestBackOff: the upper half of a time that doubles up to its bound.
func TestBackOff(t *testing.T) {
	for _, c := range []struct {
		tries          int
		interval, most time.Duration
	}{
		{-1, 6 * time.Hour, time.Minute},
		{0, 6 * time.Hour, time.Minute},
		{1, 6 * time.Hour, time.Minute},
		{2, 6 * time.Hour, 2 * time.Minute},
		{5, 6 * time.Hour, 16 * time.Minute},
		{9, 6 * time.Hour, 256 * time.Minute},
		{10, 6 * time.Hour, 6 * time.Hour},
		{math.MaxInt, 6 * time.Hour, 6 * time.Hour},
		{4, time.Minute, 8 * time.Minute},
		{5, time.Minute, 15 * time.Minute},
		{1 << 40, -1, 15 * time.Minute},
		{100, math.MaxInt64, math.MaxInt64},
	} {
		var least, most time.Duration = math.MaxInt64, 0
		for _, id := range ids(300) {
			d := fleet.BackOff(id, c.tries, c.interval)
			least, most = min(least, d), max(most, d)
		}
		require.LessOrEqual(t, most, c.most, "%+v", c)
		require.Greater(t, most, c.most/100*97, "%+v", c)
		require.GreaterOrEqual(t, least, c.most/2, "%+v", c)
		require.Less(t, least, c.most/100*53, "%+v", c)
	}
}

// TestAServerIsLeftAloneAsLongAsItAsks: never less, and not all devices at the same moment.
func TestAServerIsLeftAloneAsLongAsItAsks(t *testing.T) {
	for _, asked := range []time.Duration{0, time.Second, 10 * time.Minute, 48 * time.Hour} {
		var all []time.Duration
		for n := range uint64(500) {
			all = append(all, fleet.AtLeast("a", n, asked))
		}
		require.GreaterOrEqual(t, slices.Min(all), asked)
		require.LessOrEqual(t, slices.Max(all), asked+asked/10)
		require.GreaterOrEqual(t, slices.Max(all)-slices.Min(all), asked/11)
	}
	require.Zero(t, fleet.AtLeast("a", 1, -time.Hour))
	require.Equal(t, time.Duration(math.MaxInt64), fleet.AtLeast("a", 1, math.MaxInt64))
}

// TestNoIntervalIsTooShort: a server that asks to be polled without a pause is not.
func TestNoIntervalIsTooShort(t *testing.T) {
	for _, interval := range []time.Duration{math.MinInt64, -time.Hour, 0, 1} {
		require.GreaterOrEqual(t, fleet.Later("a", 1, interval), 900*time.Millisecond)
		require.LessOrEqual(t, fleet.FirstPoll("a", interval), 1100*time.Millisecond)
	}
	require.Positive(t, fleet.Later("a", 1, math.MaxInt64), "nor too long")
}
