package hawkbit_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
)

// otherServer is one that answers as goosebit 0.2.12: without ETags and SHA-256, the id of
// an action is the software's, nothing can be cancelled, and whatever it is told it believes.
type otherServer struct {
	action string // empty for none
	kind   string // of the link: deploymentBase when it is empty
	how    string // to download and install it: forced when it is empty
	told   []string
}

func (s *otherServer) offer(action string) { s.action = action }

func (s *otherServer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	me := host + "/DEFAULT/controller/v1/dev1"
	rest := strings.TrimPrefix(host+r.URL.Path, me)
	switch {
	case rest == "" && s.action == "":
		fmt.Fprint(w, `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{}}`)
	case rest == "":
		fmt.Fprintf(w, `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{"%s":{"href":"%s/%[1]s/%[3]s"}}}`, cmp.Or(s.kind, "deploymentBase"), me, s.action)
	case rest == "/deploymentBase/"+s.action:
		fmt.Fprintf(w, `{"id":"%s","deployment":{"download":"%s","update":"%[2]s","chunks":[{"part":"os","version":"1.2.0","name":"a","artifacts":[`+
			`{"filename":"app-1.2.0.tope","hashes":{"sha1":"c6b039f93b136f2c6de45a275693e98f19a2ed96"},"size":300544,"_links":{"download":{"href":"%s/download"}}}]}]}}`, s.action, cmp.Or(s.how, "forced"), me)
	case strings.HasPrefix(rest, "/deploymentBase/"):
		text, _ := io.ReadAll(r.Body)
		s.told = append(s.told, string(text))
		fmt.Fprint(w, `{"id":"1"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"detail":"Not Found"}`)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// TestSameActionAgain: the same software is assigned again, under the same id. It is the
// same offer as long as it is shown, and another one once it was not.
func TestSameActionAgain(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	first := w.accept()
	require.Regexp(t, "^named:[0-9a-f]{32}$", first.Digest)
	require.Empty(t, w.offered().Source.SHA256)
	w.tell(w.notice(first, "Committed", true))
	w.q.Accepted = nil
	require.Equal(t, first, w.offered().Origin, "its end is told, and it is still shown")
	w.restart()
	require.Equal(t, first, w.offered().Origin)

	other.offer("")
	w.ask()
	w.restart()
	other.offer("1")
	second := w.offered().Origin
	require.Equal(t, "1#2", second.Action)
	require.Equal(t, first.Digest, second.Digest, "it is the same release")
	w.restart()
	require.Equal(t, second, w.offered().Origin)

	// Without a moment of nothing: after its end, another one is shown in its place.
	w.tell(w.notice(second, "Failed", true))
	other.offer("2")
	require.Equal(t, "2", w.offered().Origin.Action)
	other.offer("1")
	third := w.offered().Origin
	require.Equal(t, "1#3", third.Action)
	told := len(other.told)
	w.tell(w.notice(third, "Downloading", false))
	require.Len(t, other.told, told+1)
	// What is still owed of an earlier one would be taken for the end of this one.
	w.restart()
	w.ask()
	require.ErrorIs(t, w.source.Tell(t.Context(), w.notice(second, "RolledBack", true)), fleet.ErrNever)
	require.ErrorIs(t, w.source.Tell(t.Context(), w.notice(first, "RolledBack", true)), nil)
	require.Len(t, other.told, told+1)
}

// TestShownInTurn: where several assignments are open at once, one that is shown again
// without having come to its end is the same offer.
func TestShownInTurn(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	first := w.offered().Origin
	other.offer("2")
	w.offered()
	other.offer("1")
	require.Equal(t, first, w.offered().Origin)
}

// TestReplaced: a server that cannot cancel offers another action in the place of the one
// that was accepted. Should the first one come back, it is another offer.
func TestReplaced(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	first := w.accept()
	other.offer("2")
	a := w.ask()
	require.Equal(t, "2", a.Offer.Origin.Action)
	require.Equal(t, &first, a.Cancel)
	require.Equal(t, "the server offers action 2 in its place", a.CancelWhy)
	other.offer("1")
	a = w.ask()
	require.NotEqual(t, first, a.Offer.Origin)
	require.Equal(t, &first, a.Cancel)
}

// TestFailureAfterSuccess: goosebit would believe it, so it is not told, not even after a
// restart that came after the next question.
func TestFailureAfterSuccess(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	o := w.accept()
	w.tell(w.notice(o, "Switching", false))
	w.tell(w.notice(o, "Committed", true))
	require.Len(t, other.told, 2)
	for _, state := range []journal.State{"Committed", "RolledBack", "NeedsAttention", "Restarting"} {
		w.tell(w.notice(o, state, state != "Restarting"))
	}
	require.Len(t, other.told, 2)
	other.offer("")
	w.q.Accepted = nil
	w.ask()
	w.restart()
	w.ask()
	w.tell(w.notice(o, "RolledBack", true))
	require.Len(t, other.told, 2)

	other.offer("1") // assigned again: it may fail
	w.tell(w.notice(w.accept(), "RolledBack", true))
	require.Len(t, other.told, 3)
}

// TestChangedWithoutASign: what is behind a link without a number may be another thing.
func TestChangedWithoutASign(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	require.True(t, w.offered().Forced)
	other.how = "attempt"
	require.False(t, w.offered().Forced)
}

// TestNotToBeDownloaded: it is not offered. To a device that has accepted it, it is, but
// not to be installed.
func TestNotToBeDownloaded(t *testing.T) {
	other := &otherServer{action: "1", how: "skip"}
	w := at(t, other)
	require.Nil(t, w.ask().Offer)
	other.how = "forced"
	o := w.accept()
	other.how = "skip"
	a := w.ask()
	require.Equal(t, o, a.Offer.Origin)
	require.Equal(t, fleet.Fetch, a.Offer.Do)
	require.Nil(t, a.Cancel)
}

// TestCancelledAgain: an action was over, was assigned again and cancelled, all of it
// between two questions. It is the later offer that is to be cancelled.
func TestCancelledAgain(t *testing.T) {
	other := &otherServer{action: "1"}
	w := at(t, other)
	w.tell(w.notice(w.offered().Origin, "Committed", true))
	other.offer("")
	w.ask()
	other.offer("1")
	other.kind = "cancelAction"
	for range 2 {
		require.Equal(t, &journal.Origin{Source: "hawkbit", Action: "1#2"}, w.ask().Cancel)
	}
}
