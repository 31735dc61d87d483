package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// This file says when a device asks its source. A fleet asks evenly: what one device
// draws depends on nothing but its id and a counter, so that ten thousand devices which
// start in the same second (a street has its power again) draw ten thousand different
// moments, and a test can repeat what any of them did. Nothing here is a secret, and the
// functions are safe for concurrent use.

const (
	// shortest is the least time between two polls, whatever a configuration or a server says.
	shortest = time.Second
	// firstBackOff is the longest that a device waits after its first failure.
	firstBackOff = time.Minute
	// leastBackOff is how far back-off goes at least, also when the interval is shorter.
	leastBackOff = 15 * time.Minute
)

// FirstPoll is how long after its start a device asks for the first time: between 0 and
// 110 % of interval. It is the rest of a wait by Later that began at a random moment, so
// that all polls of a fleet are even from the first to the last. Spread over interval
// exactly, first polls would still come while the earliest second polls do, and the rate
// would rise to one and a half of its mean there.
func FirstPoll(id string, interval time.Duration) time.Duration {
	return part(Later(id, 0, interval), draw("first", id, 0))
}

// Later is the time between the poll with number n of a device and the next: interval,
// or up to 10 % less or more.
func Later(id string, n uint64, interval time.Duration) time.Duration {
	interval = max(interval, shortest)
	return plus(interval-interval/10, part(interval/5, draw("later", id, n)))
}

// BackOff is how long a device waits after so many polls in a row that failed (tries
// counts from 1). It draws from the upper half of 1 min, 2 min, 4 min and so on, at most of
// interval, or of 15 min when that is longer. There, the fleet asks a server that does not
// answer at most 4/3 as often as one that does, which it can bear when it is back.
func BackOff(id string, tries int, interval time.Duration) time.Duration {
	most := max(interval, leastBackOff)
	wait := firstBackOff
	for i := 1; i < tries && wait < most; i++ {
		wait = plus(wait, wait)
	}
	wait = min(wait, most)
	return wait - part(wait/2, draw("back off", id, uint64(max(tries, 1))))
}

// AtLeast is how long a device leaves a server alone that asked for it (Retry-After):
// never less than asked, and up to 10 % more. n tells one such wait from the next.
// The caller waits for this or for what else it would have waited, whichever is longer.
func AtLeast(id string, n uint64, asked time.Duration) time.Duration {
	asked = max(asked, 0)
	return plus(asked, part(asked/10, draw("at least", id, n)))
}

// draw is a number that is even over all ids, and over all n of one id, by what it is for.
func draw(what, id string, n uint64) uint64 {
	key := binary.BigEndian.AppendUint64(append([]byte(what), 0), n)
	sum := sha256.Sum256(append(key, id...))
	return binary.BigEndian.Uint64(sum[:])
}

// part is the share of d that a number drawn says: from 0 up to d, without d itself.
func part(d time.Duration, drawn uint64) time.Duration {
	hi, _ := bits.Mul64(uint64(d), drawn)
	return time.Duration(hi)
}

// plus is the sum of two times that are not negative, or the longest time there is.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
