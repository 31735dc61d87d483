//go:build linux && amd64

package sweep

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Report is the result of a sweep.
type Report struct {
	Flow, Mode string
	// Points is how many calls, pairs of calls or states were tried. When a
	// sample was drawn, Of is how many there were.
	Points, Of int
	// Reruns is how many points were tried again and ended the same way.
	Reruns int
	// Recovery is how many of the crashes were during recovery.
	Recovery int
	// Extra has further counts, in the order to show them.
	Extra []string
	// Ends counts how devices ended.
	Ends map[string]int
	// Violations are the findings.
	Violations []Finding
	Took       time.Duration

	mu sync.Mutex
}

// Finding is one violation, and how to see it again.
type Finding struct {
	Where, What string
	// Kept is the device as the crash left it, before recovery.
	Kept string
	// Replay is the command that shows it again.
	Replay string
}

func newReport(flow, mode string) *Report {
	return &Report{Flow: flow, Mode: mode, Ends: map[string]int{}}
}

func (r *Report) ended(end string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Points++
	r.Ends[end]++
}

func (r *Report) found(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Violations = append(r.Violations, f)
}

// extra adds a count, once.
func (r *Report) extra(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.Extra, text) {
		r.Extra = append(r.Extra, text)
	}
}

func (r *Report) rerun() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Reruns++
}

// String is one line, and one more for each finding.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s %-6s %5d", r.Flow, r.Mode, r.Points)
	if r.Of > 0 {
		fmt.Fprintf(&b, " of %d", r.Of)
	}
	if r.Recovery > 0 {
		fmt.Fprintf(&b, ", %d during recovery", r.Recovery)
	}
	if r.Reruns > 0 {
		fmt.Fprintf(&b, ", %d again with the same end", r.Reruns)
	}
	for _, e := range r.Extra {
		b.WriteString(", " + e)
	}
	ends := make([]string, 0, len(r.Ends))
	for end, n := range r.Ends {
		ends = append(ends, fmt.Sprintf("%s %d", end, n))
	}
	sort.Strings(ends)
	fmt.Fprintf(&b, "; ended: %s; %d violations (%.1f s)", strings.Join(ends, ", "), len(r.Violations), r.Took.Seconds())
	shown := map[string]int{}
	for _, f := range r.Violations {
		// Complaints that differ only in the printed text are shown three times.
		kind, _, _ := strings.Cut(f.What, ";")
		if shown[kind]++; shown[kind] > 3 {
			continue
		}
		fmt.Fprintf(&b, "\n  VIOLATION at %s: %s", f.Where, f.What)
		if f.Kept != "" {
			fmt.Fprintf(&b, "\n    the device as the crash left it: %s", f.Kept)
		}
		fmt.Fprintf(&b, "\n    again: %s", f.Replay)
	}
	return b.String()
}
