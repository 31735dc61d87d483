package clock

import (
	"fmt"
	"time"
)

// Duration is a time.Duration as people write it in files: "30s", "1h30m".
type Duration time.Duration

// UnmarshalText refuses numbers without a unit, and negative durations.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return fmt.Errorf(`%.40q is not a duration; write a number with a unit, like "30s" or "24h"`, text)
	case v < 0:
		return fmt.Errorf("%.40q is negative", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes it as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }
