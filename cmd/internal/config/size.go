package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as "64MB" or "1.5 GB"; "" is 0, and means the
// default.
type Size int64

// leastSize and mostSize bound what anybody means.
const (
	leastSize = 4_000_000
	mostSize  = 1_000_000_000_000
)

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) {
	if s == 0 {
		return nil, nil
	}
	return []byte(strconv.FormatFloat(float64(s)/1e6, 'f', -1, 64) + "MB"), nil
}

// UnmarshalText reads a Size.
func (s *Size) UnmarshalText(text []byte) error {
	*s = 0
	if len(text) == 0 {
		return nil
	}
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"GB", 1e9}, {"MB", 1e6}} {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if v *= unit.bytes; err != nil || !(v >= leastSize && v <= mostSize) {
			break
		}
		*s = Size(v)
		return nil
	}
	return fmt.Errorf(`%.40q is not a size from 4MB to 1000GB; write it like "64MB" or "1.5GB", or "" for the default`, text)
}
