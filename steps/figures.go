package steps

import (
	"fmt"
	"time"
)

// Figure is how long one thing took: the start of a service, or the way of a check
// from the first look until it passed for good.
type Figure struct {
	Service string `json:"service"`
	// What is Start, or CheckOf a check.
	What string        `json:"what"`
	Took time.Duration `json:"took_ns"`
}

// Start is the What of a service's start.
const Start = "start"

// CheckOf is the What of a health check, of at most 200 bytes or so: it is kept for
// as long as the device lives.
func CheckOf(kind, target string) string { return fmt.Sprintf("%s %.190s", kind, target) }

// Seen is what the device remembers of a Figure: the newest, with the version that
// it is of, and the longest ever.
type Seen struct {
	Figure
	Version string
	Longest time.Duration
}

// History is all that the device remembers of how long things took. It has only
// what went well: of versions that were committed, or gone back to.
type History []Seen

// Of returns what is remembered of one thing; false when it was never seen.
func (h History) Of(service, what string) (Seen, bool) {
	for _, s := range h {
		if s.Service == service && s.What == what {
			return s, true
		}
	}
	return Seen{}, false
}

// Begun is what Restart leaves: how long each start took.
type Begun struct {
	Figures []Figure `json:"figures,omitempty"`
}

// Judged is what HealthCheck leaves: how long it took until each check passed.
type Judged struct {
	Figures []Figure `json:"figures,omitempty"`
}
