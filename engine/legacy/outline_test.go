package legacy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
)

// Anybody may ask for a download over the legacy API, and read how it ended: not what a
// server has answered that he could not ask himself.
func TestAnswersOfServersAreNotTold(t *testing.T) {
	st := over(engine.Failed, time.Second)
	st.Last.Error = &engine.ErrorStatus{Code: "DOWNLOAD_FAILED", Text: "the server answered 403 Forbidden", Details: "all of it", Outline: "the server refused (4xx)"}
	require.Equal(t, "DOWNLOAD_FAILED: the server refused (4xx)", *legacy.Of(st).Error)

	st = open(engine.Downloading, 5)
	st.Update.Pause = &engine.Pause{Why: "host h: the server answered 503", Outline: "host h: server said to come back later"}
	require.Contains(t, legacy.Of(st).Message, "host h: server said to come back later; trying again")
	require.NotContains(t, legacy.Of(st).Message, "503")
}
