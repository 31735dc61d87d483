package fetch

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	const day = "Mon, 05 Jan 2026 10:00:00 GMT"
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) // a device whose clock is wrong
	cases := map[string]struct {
		value, date string
		want        time.Duration
	}{
		"seconds":                {"120", day, 2 * time.Minute},
		"zero":                   {"0", day, 0},
		"negative":               {"-5", day, 0},
		"too many":               {"86400", day, time.Hour},
		"absurdly many":          {"99999999999999", day, time.Hour},
		"a date":                 {"Mon, 05 Jan 2026 10:05:00 GMT", day, 5 * time.Minute},
		"a date long from now":   {"Tue, 05 Jan 2027 10:05:00 GMT", day, time.Hour},
		"a date in the past":     {"Mon, 05 Jan 2026 09:00:00 GMT", day, 0},
		"a date by our own time": {"Tue, 01 Jan 2030 00:00:30 GMT", "", 30 * time.Second},
		"nonsense":               {"soon", day, 0},
		"nothing":                {"", day, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Retry-After": {c.value}, "Date": {c.date}}
			require.Equal(t, c.want, RetryAfter(h, now, time.Hour))
		})
	}
}
