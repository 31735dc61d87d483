package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// fair is by how much a limit has to be longer than what the version before needs, for
// a release that missed it to have been given what that version needs.
const fair = 2

// figuresOf are the figures of a version, as the journal writes them.
func figuresOf(version string, list ...steps.Figure) (out []journal.Figure) {
	for _, f := range list {
		out = append(out, journal.Figure{Service: f.Service, What: f.What, Took: f.Took, Version: version})
	}
	return out
}

// history is what the journal remembers of how long things took, as steps read it.
func history(seen []journal.Figure) (h steps.History) {
	for _, f := range seen {
		h = append(h, steps.Seen{Figure: steps.Figure{Service: f.Service, What: f.What, Took: f.Took}, Version: f.Version, Longest: f.Longest})
	}
	return h
}

// outdone tells of late checks whether they are evidence against a release: the version
// before is known to pass one of them in half of the time that the release had. why says
// what is known; it is empty when nothing is.
func outdone(before string, late, seen []journal.Figure) (guilty bool, why string) {
	for _, l := range late {
		i := slices.IndexFunc(seen, func(f journal.Figure) bool {
			return f.Service == l.Service && f.What == l.What && f.Version == before
		})
		if i < 0 {
			continue
		}
		check, needs := strings.TrimSpace(l.Service+": "+l.What), seen[i].Took.Round(time.Millisecond)
		if fair*needs <= l.Took {
			return true, fmt.Sprintf("%s: not within %s, and version %s needs %s", check, l.Took, before, needs)
		}
		why = fmt.Sprintf("%s: version %s needs %s, and %s were allowed: raise the timeout of the check", check, before, needs, l.Took)
	}
	return false, why
}
