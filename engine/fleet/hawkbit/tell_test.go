package hawkbit_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi/dditest"
)

// assigned is a world with an offer.
func assigned(t *testing.T, h dditest.Handling) (*world, journal.Origin) {
	w := newWorld(t)
	w.server.Assign("dev1", 1, h)
	return w, w.offered().Origin
}

func TestCourse(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	for _, state := range []journal.State{"Requested", "Downloading", "Verifying", "Ready", "Ready", "Extracting", "Switching", "CheckingHealth"} {
		w.tell(w.notice(o, state, false))
	}
	n := w.notice(o, "Committed", true)
	n.Running = "1.1.0"
	w.tell(n)
	var states []string
	for _, e := range w.entries("1") {
		states = append(states, e.State+": "+strings.Join(e.Messages, "; "))
	}
	const way = ", from 1.0.0 to 1.1.0"
	require.Equal(t, []string{
		"running: Requested" + way, "download: Downloading" + way, "running: Verifying" + way, "downloaded: Ready" + way, "running: Ready" + way,
		"running: Extracting" + way, "running: Switching" + way, "running: CheckingHealth" + way, "finished: Committed" + way + "; running 1.1.0",
	}, states)
}

// TestEnds has what each end is for the server.
func TestEnds(t *testing.T) {
	failed := func(code, text string) *journal.Failure { return &journal.Failure{Code: code, Text: text} }
	root := uint32(0)
	for name, c := range map[string]struct {
		state journal.State
		err   *journal.Failure
		by    *journal.Asker
		ends  string
		code  int
		says  []string
	}{
		"committed":  {"Committed", nil, nil, dditest.Finished, 0, nil},
		"failed":     {"Failed", failed("DOWNLOAD_FAILED", "no route"), nil, dditest.Failed, 8, []string{"DOWNLOAD_FAILED: no route"}},
		"rolled":     {"RolledBack", failed("HEALTH_CHECK_FAILED", "web is down"), nil, dditest.Failed, 12, []string{"HEALTH_CHECK_FAILED: web is down", "running 1.0.0"}},
		"fell back":  {"FellBack", failed("BUDGET_SPENT", "x"), nil, dditest.Failed, 14, nil},
		"attention":  {"NeedsAttention", failed("INTERNAL_ERROR", "x"), nil, dditest.Failed, 27, nil},
		"of a later": {"Failed", failed("NEW_CODE", "x"), nil, dditest.Failed, 99, nil},
		"checked":    {"Checked", nil, nil, dditest.Failed, 0, nil},
		"current":    {"Failed", failed("ALREADY_CURRENT", "version 1.1.0 is current"), nil, dditest.Finished, 20, []string{"ALREADY_CURRENT: version 1.1.0 is current"}},
		"quarantine": {"Failed", failed("QUARANTINED", "its health gate failed before"), nil, dditest.Failed, 19, []string{"QUARANTINED: its health gate failed before"}},
		"by a user": {
			"Cancelled", failed("CANCELLED", "cancelled"), &journal.Asker{Kind: journal.ByUser, UID: &root, User: "root"},
			dditest.Failed, 17,
			[]string{"by root"},
		},
		"by another source": {"Cancelled", nil, &journal.Asker{Kind: journal.BySource, Source: "channel stable"}, dditest.Failed, 0, []string{"by channel stable"}},
	} {
		w, o := assigned(t, dditest.Forced)
		n := w.notice(o, c.state, true)
		n.Error, n.By, n.Running = c.err, c.by, "1.0.0"
		w.tell(n)
		v := w.server.Action("1")
		require.Equal(t, []any{c.ends, c.code}, []any{v.State, v.Code}, name)
		require.Subset(t, v.Entries[len(v.Entries)-1].Messages, c.says, name)
		w.tell(n) // after a lost answer
		w.restart()
		w.tell(n)
		require.Len(t, w.server.Action("1").Entries, len(v.Entries))
		require.Nil(t, w.ask().Offer, name)
	}
}

// TestDownloadOnly: that it is downloaded ends the action. The update stays, and waits: it
// is offered on, since what is not offered any more may be installed. What it comes to
// later is nobody's news.
func TestDownloadOnly(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		w, o := assigned(t, dditest.DownloadOnly)
		w.q.Accepted = &o
		w.tell(w.notice(o, "Downloading", false))
		w.tell(w.notice(o, "Ready", false))
		require.Equal(t, dditest.Fetched, w.server.Action("1").State)
		for range 3 {
			a := w.ask()
			require.Equal(t, o, a.Offer.Origin)
			require.Equal(t, fleet.Fetch, a.Offer.Do)
			require.Nil(t, a.Cancel)
			if restarts {
				w.restart()
			}
		}
		w.server.Assign("dev1", 1, dditest.Forced)
		a := w.ask()
		require.Equal(t, "2", a.Offer.Origin.Action)
		require.Equal(t, &o, a.Cancel)
		w.server.Requests()
		w.tell(w.notice(o, "Cancelled", true))
		require.Empty(t, w.server.Requests())
		w.q.Accepted = nil
		require.Equal(t, "2", w.offered().Origin.Action)
	}
}

// TestDetails: what hawkBit refuses is not said, nothing secret, and nothing of a log.
func TestDetails(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	n := w.notice(o, "RolledBack", true)
	n.Error = &journal.Failure{
		Code: "HEALTH_CHECK_FAILED", Text: "<b>web</b> & https://u:hunter2@h/r?sig=hunter2 is down",
		Details: strings.Repeat("a line\n", 100) + strings.Repeat("y", 5000),
	}
	w.tell(n)
	v := w.server.Action("1")
	require.Equal(t, dditest.Failed, v.State)
	said := v.Entries[len(v.Entries)-1].Messages
	require.Len(t, said, 3, "two, and the server's own")
	require.NotContains(t, fmt.Sprint(said), "a line")
	require.NotContains(t, fmt.Sprint(said), "hunter2")
	require.NotContains(t, fmt.Sprint(said), "<")
}

// TestFull: an action has as many entries as it may have. Progress is dropped, and the end
// is taken.
func TestFull(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	var err error
	for range 1000 {
		err = w.source.Tell(t.Context(), w.notice(o, "Extracting", false))
	}
	require.ErrorIs(t, err, fleet.ErrNever)
	w.tell(w.notice(o, "Committed", true))
	require.Equal(t, dditest.Finished, w.server.Action("1").State)
}

// TestTime: what was noted while the clock was not set has no time.
func TestTime(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	for _, at := range []time.Time{w.clk.Now(), {}, time.Unix(0, 0), w.clk.Now().AddDate(-1, 0, 0)} {
		n := w.notice(o, "Extracting", false)
		n.Time = at
		w.tell(n)
	}
	var times []int64
	for _, e := range w.entries("1") {
		times = append(times, e.Time)
	}
	require.Equal(t, []int64{w.clk.Now().UnixMilli(), 0, 0, 0}, times)
}

func TestNever(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	n := w.notice(o, "Downloading", false)
	n.Origin = nil
	require.ErrorIs(t, w.source.Tell(t.Context(), n), fleet.ErrNever)
	n.Origin = &journal.Origin{Source: "channel stable", Action: "1"}
	require.ErrorIs(t, w.source.Tell(t.Context(), n), fleet.ErrNever)
	n.Origin = &journal.Origin{Source: "hawkbit", Action: "../1"}
	require.ErrorIs(t, w.source.Tell(t.Context(), n), fleet.ErrNever)
	require.Empty(t, w.entries("1"))
}

// TestLater: an outage, a wrong token and a server that is busy lose nothing, and an end
// is not taken for told.
func TestLater(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	n := w.notice(o, "Committed", true)
	for _, trouble := range []dditest.Trouble{{Unheard: true}, {Status: 401}, {Status: 403}, {Status: 502}, dditest.Busy("7")} {
		w.server.Switch(func(s *dditest.Switches) { s.Trouble = func(*http.Request) dditest.Trouble { return trouble } })
		for name, err := range map[string]error{
			"tell": w.source.Tell(t.Context(), n), "identify": w.source.Identify(t.Context(), nil),
			"confirm": w.source.Confirm(t.Context(), o, false, "busy"), "uncancel": w.source.Uncancel(t.Context(), o, "late"),
		} {
			require.Error(t, err, name)
			require.NotErrorIs(t, err, fleet.ErrNever, name)
			var wait *fleet.Wait
			if trouble.Status == 429 {
				require.ErrorAs(t, err, &wait, name)
				require.Equal(t, 7*time.Second, wait.For)
			}
		}
	}
	w.server.Switch(func(s *dditest.Switches) { s.Trouble = nil })
	w.tell(n)
	require.Equal(t, dditest.Finished, w.server.Action("1").State)
}

// TestEndsWhileItIsCancelled: what cannot be cancelled may simply end.
func TestEndsWhileItIsCancelled(t *testing.T) {
	w, o := assigned(t, dditest.Forced)
	w.server.Cancel("1")
	require.NotNil(t, w.ask().Cancel)
	w.tell(w.notice(o, "Committed", true))
	require.Equal(t, dditest.Finished, w.server.Action("1").State)
	require.Nil(t, w.ask().Cancel)
}
