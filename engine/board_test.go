package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock/clocktest"
)

// The failures of an older program have texts of 600 characters.
func TestALongTextOfAnOlderProgram(t *testing.T) {
	long := strings.Repeat("app: active app: not well; ", 30)
	s := errorStatus(&journal.Failure{Code: "X", Class: "unhealthy", Text: long})
	require.LessOrEqual(t, len(s.Text), 320)
	require.Equal(t, long, s.Details)
	s = errorStatus(&journal.Failure{Code: "X", Text: "short", Details: "long"})
	require.Equal(t, ErrorStatus{Code: "X", Text: "short", Details: "long"}, *s)
}

// Within a boot, the monotonic clock measures how long ago an update ended; it
// never jumps. After a reboot only the wall clock is left.
func TestSinceTheEnd(t *testing.T) {
	clock := clocktest.New()
	b := &board{clock: clock}
	u := &journal.Update{Ended: clock.Now(), EndedMono: clock.Monotonic(), EndedBoot: clock.Boot()}
	clock.Advance(30 * time.Second)
	clock.SetNow(u.Ended.Add(time.Hour))
	require.Equal(t, 30*time.Second, b.since(u))
	clock.Reboot()
	clock.SetNow(u.Ended.Add(time.Hour))
	require.Equal(t, time.Hour, b.since(u))
	clock.SetNow(u.Ended.Add(-time.Hour))
	require.Equal(t, time.Minute, b.since(u), "a clock that went backwards: the boot is a minute old")
	u.Ended = time.Unix(9, 0)
	clock.SetNow(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	require.Equal(t, time.Minute, b.since(u), "a clock that had not been set")
}
