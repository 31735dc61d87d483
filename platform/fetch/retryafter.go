package fetch

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfter is how long an answer's Retry-After asks to be left alone: seconds, or a date,
// which is compared with the server's own clock where that is known, and with now
// otherwise. It is longest at most, and 0 when the header is not there or not usable.
func RetryAfter(h http.Header, now time.Time, longest time.Duration) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds > int64(longest/time.Second) {
			return longest
		}
		return max(0, time.Duration(seconds)*time.Second)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), longest)
}
