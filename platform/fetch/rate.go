package fetch

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is a bandwidth in bytes a second; 0 is unlimited. It is written like "500kB/s".
type Rate int64

// slowest is the lowest limit. A release of some megabytes takes an hour with it.
const slowest = 1000

// units are the units that a Rate is written in, the largest first.
func units() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{{"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}, {"B/s", 1}}
}

// UnmarshalText reads "500kB/s", "1.5 MB/s" or, for no limit, "".
func (r *Rate) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*r = 0
		return nil
	}
	for _, u := range units() {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if v *= float64(u.bytes); err != nil || !(v >= slowest && v <= 1e12) {
			break
		}
		*r = Rate(v)
		return nil
	}
	return fmt.Errorf(`%.40q is not a bandwidth of 1 kB/s or more; write it like "500kB/s" or "2MB/s" (B is a byte), or "" for no limit`, s)
}

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String writes the rate in the largest unit that needs no fraction.
func (r Rate) String() string {
	for _, u := range units() {
		if r != 0 && int64(r)%u.bytes == 0 {
			return strconv.FormatInt(int64(r)/u.bytes, 10) + u.name
		}
	}
	return ""
}
