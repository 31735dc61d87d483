package running

import (
	"encoding/json"
	"fmt"

	"github.com/tope/updater/steps"
)

// Baseline is the gate's verdict on the version that ran before Switching, as far as
// other steps need it. The keys are those of the gate's evidence in the journal.
type Baseline struct {
	Results []struct {
		Service string `json:"service"`
		Kind    string `json:"kind"`
		Target  string `json:"target"`
		Passed  bool   `json:"passed"`
		Stopped bool   `json:"stopped"`
	} `json:"results"`
}

// BaselineOf reads the verdict that a task has; it is empty when there is none.
func BaselineOf(t *steps.Task) (b Baseline, err error) {
	if len(t.Baseline) == 0 {
		return b, nil
	}
	if err := json.Unmarshal(t.Baseline, &b); err != nil {
		return b, fmt.Errorf("cannot read the baseline in the journal: %w", err)
	}
	return b, nil
}

// FailedBefore reports whether a service was not well before the switch: then a version
// in which it is not well either has done no worse. A service that somebody had stopped
// was not tried. A baseline that cannot be read tells nothing.
func FailedBefore(t *steps.Task, service string) bool {
	b, _ := BaselineOf(t)
	for _, r := range b.Results {
		if r.Service == service && !r.Passed && !r.Stopped {
			return true
		}
	}
	return false
}
