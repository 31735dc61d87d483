package ddi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi"
	"github.com/tope/updater/platform/ddi/dditest"
)

// TestEachStateIsTaken, and only an end ends the action.
func TestEachStateIsTaken(t *testing.T) {
	for state, shown := range map[ddi.State]string{
		ddi.Proceeding: "running", ddi.Downloading: "download", ddi.Downloaded: "downloaded", ddi.Scheduled: "running",
		ddi.Resumed: "running", ddi.Rejected: "warning", ddi.Succeeded: "finished", ddi.Failed: "error",
	} {
		w := newWorld(t)
		a, _ := w.assigned(dditest.Forced)
		require.NoError(t, w.client.Feedback(w.ctx(), telling(a, state)))
		v := w.server.Action(a)
		require.Equal(t, shown, v.Entries[len(v.Entries)-1].State)
		require.Equal(t, state.End(), w.poll().Deployment == nil)
	}
}

// TestWhatIsTakenForSomethingElse cannot be said: a State of another program, which has
// read it somewhere.
func TestWhatIsTakenForSomethingElse(t *testing.T) {
	w := newWorld(t)
	a, _ := w.assigned(dditest.Forced)
	w.server.Requests()
	for _, s := range []ddi.State{"closed", "canceled"} {
		fails(t, w.client.Feedback(w.ctx(), telling(a, s)), ddi.Refused)
	}
	require.Empty(t, w.server.Requests())
	require.Equal(t, dditest.Running, w.server.Action(a).State)
}

func TestCodeAndTime(t *testing.T) {
	w := newWorld(t)
	a, _ := w.assigned(dditest.Forced)
	f := telling(a, ddi.Failed, "HEALTH_CHECK_FAILED")
	f.Code, f.Time = 7, time.UnixMilli(1627997501890)
	require.NoError(t, w.client.Feedback(w.ctx(), f))
	v := w.server.Action(a)
	require.Equal(t, 7, v.Code)
	require.Equal(t, int64(1627997501890), v.Entries[len(v.Entries)-1].Time)
}

// TestAnEndIsDeliveredOnce: a lost answer, and then the end again.
func TestAnEndIsDeliveredOnce(t *testing.T) {
	w := newWorld(t)
	a, _ := w.assigned(dditest.Forced)
	w.trouble(dditest.Trouble{Lost: true})
	err := w.client.Feedback(w.ctx(), telling(a, ddi.Succeeded))
	fails(t, err, ddi.Outage)
	require.Equal(t, ddi.Later, ddi.Judge(err))
	w.server.Switch(func(s *dditest.Switches) { s.Trouble = nil })
	for _, s := range []ddi.State{ddi.Succeeded, ddi.Failed, ddi.Proceeding} {
		err = w.client.Feedback(w.ctx(), telling(a, s))
		require.Equal(t, http.StatusGone, fails(t, err, ddi.Gone).Status)
		require.Equal(t, ddi.Delivered, ddi.Judge(err))
	}
	require.Equal(t, dditest.Finished, w.server.Action(a).State)
	require.Equal(t, ddi.Delivered, ddi.Judge(nil))
}

// TestVerdicts has what each answer means for an outbox.
func TestVerdicts(t *testing.T) {
	quota := `{"errorCode":"hawkbit.server.error.quota.tooManyEntries","message":"Quota exceeded, see http://h/?t=s3cr3t\nx"}`
	for _, c := range []struct {
		status  int
		body    string
		kind    ddi.Kind
		verdict ddi.Verdict
	}{
		{400, "", ddi.Refused, ddi.Never},
		{401, "", ddi.Denied, ddi.Later},
		{403, "", ddi.Denied, ddi.Later},
		{405, "", ddi.Refused, ddi.Never},
		{407, "", ddi.Outage, ddi.Later},
		{408, "", ddi.Outage, ddi.Later},
		{410, "", ddi.Gone, ddi.Delivered},
		{415, "", ddi.Refused, ddi.Never},
		{422, `{"detail":[]}`, ddi.Refused, ddi.Never}, // goosebit
		{425, "", ddi.Outage, ddi.Later},
		{429, "", ddi.Outage, ddi.Later},
		{429, `{"errorCode":"another"}`, ddi.Outage, ddi.Later},
		{429, quota, ddi.Quota, ddi.Never},
		{500, "", ddi.Outage, ddi.Later},
		{503, `{"errorCode":"x"}`, ddi.Outage, ddi.Later},
	} {
		w := newWorld(t)
		w.trouble(dditest.Trouble{Status: c.status, Header: jsonHeader(), Body: c.body})
		err := w.client.Feedback(w.ctx(), telling("1", ddi.Proceeding))
		e := fails(t, err, c.kind)
		require.Equal(t, c.verdict, ddi.Judge(err), c.status)
		require.Equal(t, c.status, e.Status)
		require.Equal(t, c.body == quota, strings.HasSuffix(e.Code, "tooManyEntries"))
		require.Contains(t, e.Error(), "tell how action 1 is: "+me+"/deploymentBase/1/feedback answered")
	}
	require.Equal(t, ddi.Later, ddi.Judge(context.Canceled), "anything else is tried again")
}

// TestUnknown: that an action is not known is the word of a server that knows the device.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	err := w.client.Feedback(w.ctx(), telling("7", ddi.Succeeded))
	fails(t, err, ddi.Unknown)
	require.Equal(t, ddi.Never, ddi.Judge(err))

	w.trouble(dditest.Trouble{Status: 404})
	err = w.client.Feedback(w.ctx(), telling("7", ddi.Succeeded))
	require.Contains(t, fails(t, err, ddi.Outage).Error(), "look whether the server knows this device")
	require.Equal(t, ddi.Later, ddi.Judge(err), "it is another server, or another URL")

	w.server.Switch(func(s *dditest.Switches) { s.Trouble = nil })
	a, _ := w.assigned(dditest.Forced)
	w.server.RemoveTarget("dev1")
	err = w.client.Feedback(w.ctx(), telling(a, ddi.Succeeded))
	fails(t, err, ddi.Denied)
	w.server.AddTarget("dev1", token)
	fails(t, w.client.Feedback(w.ctx(), telling(a, ddi.Succeeded)), ddi.Unknown)
	fails(t, w.client.Feedback(w.ctx(), telling("../1", ddi.Succeeded)), ddi.Refused)
	w.server.Requests()
	for _, name := range []string{"", "..", "../../dev2/deploymentBase/1", "1?c=4"} {
		_, err = w.client.Deployment(w.ctx(), ddi.Link{Action: name})
		fails(t, err, ddi.Refused)
	}
	require.Empty(t, w.server.Requests(), "it is not the name of an action")

	w.trouble(dditest.Trouble{})
	asked := 0
	w.server.Switch(func(s *dditest.Switches) {
		s.Trouble = func(*http.Request) dditest.Trouble {
			if asked++; asked == 1 {
				return dditest.Trouble{Status: 404}
			}
			return dditest.Trouble{Status: 401}
		}
	})
	fails(t, w.client.Feedback(w.ctx(), telling(a, ddi.Succeeded)), ddi.Denied)
}

// TestPoison: what is refused for its words is told with plainer ones, and then without.
func TestPoison(t *testing.T) {
	for _, c := range []struct {
		// refused says of how many requests the server takes none.
		refused int
		body    string
		state   ddi.State
		details []string
		asked   int
		err     ddi.Kind
	}{
		{0, "", ddi.Succeeded, []string{"für ‹alle›"}, 1, ""},
		{1, "", ddi.Succeeded, []string{"f r  alle "}, 2, ""},
		{2, "", ddi.Succeeded, []string{"Update Server: Target reported CLOSED with OK!"}, 3, ""},
		{9, "", ddi.Succeeded, nil, 3, ddi.Refused},
		{1, `{"errorCode":"hawkbit.server.error.quota.tooManyEntries"}`, ddi.Proceeding, nil, 1, ddi.Quota},
		{2, `{"errorCode":"hawkbit.server.error.quota.tooManyEntries"}`, ddi.Failed, []string{"Update Server: Target reported CLOSED with ERROR!"}, 3, ""},
	} {
		w := newWorld(t)
		a, _ := w.assigned(dditest.Forced)
		before, asked := len(w.server.Action(a).Entries), 0
		w.server.Switch(func(s *dditest.Switches) {
			s.Trouble = func(*http.Request) dditest.Trouble {
				asked++
				switch {
				case asked > c.refused:
					return dditest.Trouble{}
				case c.body != "":
					return dditest.Trouble{Status: 429, Header: jsonHeader(), Body: c.body}
				}
				return dditest.Trouble{Status: 400}
			}
		})
		err := w.client.Feedback(w.ctx(), telling(a, c.state, "für <alle>"))
		require.Equal(t, c.asked, asked)
		if c.err != "" {
			fails(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		entries := w.server.Action(a).Entries[before:]
		require.Len(t, entries, 1)
		require.Equal(t, c.details, entries[0].Messages)
	}
	w := newWorld(t)
	w.trouble(dditest.Trouble{Status: 400})
	fails(t, w.client.Feedback(w.ctx(), telling("1", ddi.Succeeded)), ddi.Refused)
	require.Len(t, w.server.Requests(), 1, "there was nothing to leave out")
}

// TestDetails: whatever they are, the server takes them at once.
func TestDetails(t *testing.T) {
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	long := strings.Repeat("ä<", 1000)
	for _, c := range []struct{ given, taken []string }{
		{[]string{"a <b>bold</b> & b", "", "\t \n"}, []string{"a ‹b›bold‹/b› + b"}},
		{[]string{"line\nfeed\x00\u202e\xff"}, []string{"line feed  \uFFFD"}},
		{[]string{"cannot fetch https://u:s3cr3t@h/r.tope?a=1&t=s3cr3t"}, []string{"cannot fetch https://h/r.tope?a=…+t=…"}},
		{many, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "and 51 more"}},
		{many[:10], many[:10]},
		{[]string{long}, nil},
	} {
		w := newWorld(t)
		a, _ := w.assigned(dditest.Forced)
		w.server.Requests()
		require.NoError(t, w.client.Feedback(w.ctx(), telling(a, ddi.Proceeding, c.given...)))
		require.Len(t, w.server.Requests(), 1)
		v := w.server.Action(a)
		got := v.Entries[len(v.Entries)-1].Messages
		if c.taken == nil {
			require.LessOrEqual(t, len(got[0]), 400)
			require.True(t, utf8.ValidString(got[0]))
			require.True(t, strings.HasSuffix(got[0], "…"))
			continue
		}
		require.Equal(t, c.taken, got)
	}
}

// TestCancel: stopped, too late, and by a newer assignment.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	a, _ := w.assigned(dditest.Forced)
	w.server.AddBundle("app-1.2.0.tope", "1.2.0", []byte("newer"))
	newer := w.server.Assign("dev1", 2, dditest.Forced)
	require.Equal(t, a, w.poll().Cancel.Action)
	require.NoError(t, w.client.Uncancelled(w.ctx(), a, "it is switching"))
	require.Equal(t, a, w.poll().Deployment.Action, "it runs on")
	require.True(t, w.server.Cancel(a))
	require.Equal(t, a, w.poll().Cancel.Action)
	require.NoError(t, w.client.Cancelled(w.ctx(), a, "stopped before it was switched to"))
	require.NoError(t, w.client.Cancelled(w.ctx(), a), "again, after a lost answer")
	require.Equal(t, dditest.Canceled, w.server.Action(a).State)
	require.Equal(t, newer, w.poll().Deployment.Action)

	require.True(t, w.server.Cancel(newer))
	require.NoError(t, w.client.Feedback(w.ctx(), telling(newer, ddi.Succeeded)), "the true end, while it is being cancelled")
	require.Equal(t, ddi.Delivered, ddi.Judge(w.client.Cancelled(w.ctx(), newer)))
}

func TestAttributes(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.client.PutAttributes(w.ctx(), map[string]string{"version": "1.0.0", "why": strings.Repeat("é", 100) + "<b>"}))
	got := w.server.Attributes("dev1")
	require.Equal(t, "1.0.0", got["version"])
	require.Equal(t, strings.Repeat("é", 62)+"…", got["why"])
	require.NoError(t, w.client.PutAttributes(w.ctx(), map[string]string{"version": "1.1.0"}))
	require.Len(t, w.server.Attributes("dev1"), 2)

	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint(i)] = ""
	}
	w.server.Requests()
	for _, bad := range []map[string]string{many, {"": "v"}, {strings.Repeat("k", 129): "v"}, {"a<": "v"}, {"a\n": "v"}} {
		fails(t, w.client.PutAttributes(w.ctx(), bad), ddi.Refused)
	}
	require.Empty(t, w.server.Requests(), "it would be refused")
}
