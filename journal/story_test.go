package journal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// steps of an undisturbed update, as state, step.
var story = []struct {
	state journal.State
	step  journal.Step
}{
	{"Downloading", "Download"},
	{"Verifying", "Verify"},
	{"Ready", ""},
	{"Extracting", "Extract"},
	{"Staging", "Stage"},
	{"Switching", "Switch"},
	{"Restarting", "Restart"},
	{"CheckingHealth", "HealthCheck"},
	{"Committing", "Commit"},
}

// acceptRecord opens update id.
func acceptRecord(id string) journal.Record {
	return journal.Record{
		Update: id, Phase: journal.Outcome, Trigger: "accept", To: "Requested",
		Accept: &journal.Accept{
			Kind: "install", From: "1.0.0",
			Source: json.RawMessage(`{"url":"http://127.0.0.1:8000/package.zip","size":104857600,"md5":"0123456789abcdef0123456789abcdef"}`),
		},
	}
}

// transition is what one step's end leaves in the journal: about what the real
// steps write, 600 bytes each.
func transition(id string, n int) []journal.Record {
	at, next := story[n%len(story)], story[(n+1)%len(story)]
	evidence, _ := json.Marshal(map[string]any{
		"bytes": 104857600 + n, "files": 20, "sha256": strings.Repeat("ab", 32),
		"pointers": map[string]string{"current": "1.0.0", "previous": "0.9.0", "factory": "1.0.0"},
		"note":     strings.Repeat("x", 150),
	})
	return []journal.Record{
		{Update: id, Phase: journal.Outcome, Step: at.step, Attempt: 1, Took: time.Second, Evidence: evidence, Trigger: "done", From: at.state, To: next.state},
		{Update: id, Phase: journal.Intent, Step: next.step, Attempt: 1, From: next.state, Evidence: evidence},
	}
}

// runUpdate journals a whole update: 30 records in 14 transactions.
func runUpdate(t testing.TB, j *journal.Journal, id string) {
	t.Helper()
	appendAll := func(recs ...journal.Record) {
		t.Helper()
		_, err := j.Append(recs...)
		require.NoError(t, err)
	}
	appendAll(acceptRecord(id), journal.Record{Update: id, Phase: journal.Intent, Step: "Download", To: "Downloading"})
	for n := range story {
		require.NoError(t, j.Note(id, "Download", fmt.Appendf(nil, `{"offset":%d}`, n)))
		recs := transition(id, n)
		appendAll(append(recs, journal.Record{Update: id, Phase: journal.Observed, Step: "Switch", Why: "looked at the pointers"})...)
	}
	appendAll(journal.Record{Update: id, Phase: journal.Outcome, From: "Committing", To: "Committed", Trigger: "done", Terminal: true, Trial: &journal.Trial{Lasts: 24 * time.Hour}})
	appendAll(journal.Record{Update: id, Phase: journal.Outcome, Closed: true})
}

// updateID is the id of the n'th update.
func updateID(n int) string { return fmt.Sprintf("u%03d", n) }
