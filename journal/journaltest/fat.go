package journaltest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
)

// Fat makes a journal of 3.4 MB at path: as many updates as a journal keeps, with URLs
// of 8 kB, as older versions accepted them. Every user of a device could make one.
func Fat(t testing.TB, path string) {
	t.Helper()
	j, err := journal.Open(path, journal.Options{Clock: clocktest.New(), Create: true})
	require.NoError(t, err)
	source := json.RawMessage(`{"url":"http://127.0.0.1:1/` + strings.Repeat("a", 8000) + `"}`)
	for n := range journal.DefaultKeepUpdates {
		id := fmt.Sprintf("u%d", n)
		_, err := j.Append(
			journal.Record{Update: id, Phase: journal.Outcome, Trigger: "accept", To: "Requested", Accept: &journal.Accept{Kind: "install", From: "1.0.0", Source: source}},
			journal.Record{Update: id, Phase: journal.Outcome, Trigger: "fail", To: "Failed", Terminal: true, Error: &journal.Failure{Code: "DOWNLOAD_FAILED", Class: "transient", Text: strings.Repeat("x", 16000)}},
			journal.Record{Update: id, Phase: journal.Observed, Why: strings.Repeat("y", 8000)},
			journal.Record{Update: id, Phase: journal.Outcome, Closed: true},
		)
		require.NoError(t, err)
	}
	require.NoError(t, j.Close())
}
