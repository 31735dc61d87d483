package channel

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Percent is a share in hundredths of a percent, 0 to 10,000. In JSON it is a number from
// 0 to 100 with up to two decimals. Whole numbers keep each reader's arithmetic the same.
type Percent int64

// All is 100 percent.
const All Percent = 10_000

// ParsePercent reads 0, 5, 12.5 or 100.
func ParsePercent(s string) (Percent, error) {
	whole, part, dot := strings.Cut(s, ".")
	if len(whole) > 1 && whole[0] == '0' || dot && (part == "" || len(part) > 2) || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errPercent(s)
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 32)
	if err != nil || whole == "" || n > int64(All) {
		return 0, errPercent(s)
	}
	return Percent(n), nil
}

func errPercent(s string) error {
	return fmt.Errorf("%.20q is not a percentage: want 0 to 100 with up to two decimals", s)
}

func (p Percent) String() string {
	s := strconv.FormatInt(int64(p/100), 10)
	if p%100 != 0 {
		s = strings.TrimRight(fmt.Sprintf("%s.%02d", s, p%100), "0")
	}
	return s
}

// MarshalJSON implements json.Marshaler.
func (p Percent) MarshalJSON() ([]byte, error) {
	if p < 0 || p > All {
		return nil, errors.New("a share is outside 0 to 100 percent")
	}
	return []byte(p.String()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Percent) UnmarshalJSON(text []byte) (err error) {
	*p, err = ParsePercent(string(text))
	return err
}

// whole is a whole in the units in which places and shares are counted.
const whole = 1_000_000_000

// A Place is where a device stands in the order of a rollout, from 0, the first, to
// 999,999,999, the last. It is in when its place is below the share.
type Place int64

// The places of devices that are meant to be before and behind all others.
const (
	First Place = 0
	Last  Place = whole - 1
)

// PlaceOf is the place of a device in the rollouts with this seed: the first eight bytes of
// SHA-256("tope-rollout/1" NUL seed NUL device), big-endian, as a fraction of 2^64.
func PlaceOf(seed, device string) Place {
	sum := sha256.Sum256([]byte("tope-rollout/1\x00" + seed + "\x00" + device))
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), whole)
	return Place(hi) //nolint:gosec // below whole
}

func (p Place) String() string { return share(int64(p)) }

// share writes a share or place as percent with two decimals, never rounded up.
func share(n int64) string { return fmt.Sprintf("%d.%02d %%", n/(whole/100), n/(whole/10_000)%100) }

const inUnits = whole / int64(All)

// Share is the share of devices that may have begun at a time, of 1,000,000,000. While a
// rollout stays as it is, it never falls.
func (r *Rollout) Share(at time.Time) int64 {
	if at.Before(r.Start) {
		return 0
	}
	from := int64(r.Percent) * inUnits
	if r.Hours == 0 {
		return from
	}
	to, length := int64(r.To)*inUnits, r.Hours*int64(time.Hour/time.Second)
	passed := at.Unix() - r.Start.Unix()
	if passed >= length {
		return to
	}
	return from + (to-from)*passed/length // at most 10^9 times the seconds of a year
}

// In reports whether a device may have begun at a time.
func (r *Rollout) In(p Place, at time.Time) bool { return int64(p) < r.Share(at) }

// Due is when a device's turn comes, to the second; ok is false when it never does as the
// rollout stands.
func (r *Rollout) Due(p Place) (t time.Time, ok bool) {
	from, to, length := int64(r.Percent)*inUnits, int64(r.To)*inUnits, r.Hours*int64(time.Hour/time.Second)
	switch n := int64(p); {
	case n < from:
		return r.Start.UTC(), true
	case r.Hours == 0 || n >= to:
		return time.Time{}, false
	default:
		// The first second whose share is above n: (to-from) × passed / length > n - from.
		passed := ((n-from+1)*length + to - from - 1) / (to - from)
		return time.Unix(r.Start.Unix()+passed, 0).UTC(), true
	}
}
