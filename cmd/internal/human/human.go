// Package human writes sizes and durations the way people read them. It is for
// terminals only: output for programs keeps its exact numbers.
package human

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bytes is n in decimal units, three digits at most: "999 B", "12.3 MB".
func Bytes(n int64) string {
	if n < 1000 && n > -1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v := float64(n)
	for _, unit := range []string{"kB", "MB", "GB"} {
		v /= 1000
		if v < 999.5 && v > -999.5 {
			return digits(v) + " " + unit
		}
	}
	return digits(v/1000) + " TB"
}

// Duration is d to two or three digits: "0.4 ms", "120 ms", "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		// The least of all has no positive counterpart; times that lie too far apart give it.
		return "-" + Duration(-max(d, -math.MaxInt64))
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return pair(d, time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return pair(d, time.Hour, "h", time.Minute, "min")
	default:
		return pair(d, 24*time.Hour, "d", time.Hour, "h")
	}
}

// Span is a duration that may be the least of what is possible: "3 min 20 s", or
// "at least 3 min 20 s".
func Span(d time.Duration, unsure bool) string {
	if unsure {
		return "at least " + Duration(d)
	}
	return Duration(d)
}

func digits(v float64) string {
	switch {
	case v < 9.95 && v > -9.95:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.5 && v > -99.5:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func pair(d, big time.Duration, bigUnit string, small time.Duration, smallUnit string) string {
	return fmt.Sprintf("%d %s %d %s", d/big, bigUnit, d%big/small, smallUnit)
}
