package dditest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi/dditest"
)

// details is an entry with n details.
func details(n int, each string) string {
	all, _ := json.Marshal(strings.Split(strings.Repeat(each+"\n", n-1)+each, "\n"))
	return `{"status":{"execution":"proceeding","result":{"finished":"none"},"details":` + string(all) + `}}`
}

func TestFeedbackIsJudgedAsHawkBitDoes(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		answer string
	}{
		"proceeding":           {`{"status":{"execution":"proceeding","result":{"finished":"none"},"details":["Downloading 10%"]}}`, 200, ""},
		"all that there is":    {`{"id":"1","time":"20140511T121314","status":{"execution":"proceeding","result":{"finished":"none","progress":{"cnt":2,"of":5}},"code":206,"details":["x"]}}`, 200, ""},
		"downloaded":           {`{"status":{"execution":"downloaded","result":{"finished":"none"}}}`, 200, ""},
		"scheduled":            {`{"status":{"execution":"scheduled","result":{"finished":"none"}}}`, 200, ""},
		"resumed":              {`{"status":{"execution":"resumed","result":{"finished":"none"}}}`, 200, ""},
		"rejected":             {`{"status":{"execution":"rejected","result":{"finished":"none"}}}`, 200, ""},
		"canceled":             {`{"status":{"execution":"canceled","result":{"finished":"none"}}}`, 200, ""},
		"an unknown field":     {`{"status":{"execution":"proceeding","result":{"finished":"none"}},"unknown":1}`, 200, ""},
		"an unknown execution": {`{"status":{"execution":"nonsense","result":{"finished":"none"}}}`, 400, unread},
		"no result":            {`{"status":{"execution":"proceeding"}}`, 400, unread},
		"nothing":              {`{}`, 400, unread},
		"not JSON":             {`not json`, 400, unread},
		"HTML":                 {`{"status":{"execution":"proceeding","result":{"finished":"none"},"details":["<b>html</b>"]}}`, 400, invalid},
		"an entity":            {`{"status":{"execution":"proceeding","result":{"finished":"none"},"details":["a &lt; b"]}}`, 400, invalid},
		"a long detail":        {details(1, strings.Repeat("y", 2000)), 200, ""},
		"50 details":           {details(50, "x"), 200, ""},
		"51 details":           {details(51, "x"), 429, messages},
	} {
		s, _ := hawkbit()
		s.Assign("dev1", 1, dditest.Forced)
		a := post(t, s, "/deploymentBase/1/feedback", c.body)
		require.Equal(t, c.status, a.status, name)
		require.Equal(t, c.answer, a.body, name)
		require.Equal(t, dditest.Running, s.Action("1").State, name)
		require.Equal(t, "deploymentBase/1", links(t, s)["deploymentBase"], name)
	}
}

func TestFeedbackOfAnotherKind(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	s.AddTarget("other", "othersecret")
	s.Assign("other", 1, dditest.Forced)
	require.Equal(t, 415, call(t, s, "POST", me+"/deploymentBase/1/feedback", closed, "Content-Type: text/plain").status)
	require.Equal(t, 415, call(t, s, "PUT", me+"/configData", `{"data":{}}`, "Content-Type:").status)
	for _, unknown := range []string{"2", "3", "0", "-1", "+1", "x"} {
		require.Equal(t, 404, post(t, s, "/deploymentBase/"+unknown+"/feedback", closed).status, unknown)
	}
	require.Equal(t, 404, call(t, s, "DELETE", me, "").status)
	require.Equal(t, 404, get(t, s, "/OTHER/controller/v1/dev1").status)
}

func TestTheEntrysTimeIsTheDevices(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	post(t, s, "/deploymentBase/1/feedback", `{"timestamp":1627997501890,"status":{"execution":"download","result":{"finished":"none"}}}`)
	require.Equal(t, dditest.Entry{State: "download", Messages: []string{"Update Server: Target confirmed download start."}, Time: 1627997501890}, s.Action("1").Entries[1])
}

// TestTheEnd: an action ends once, and closed without a result is a success.
func TestTheEnd(t *testing.T) {
	for body, state := range map[string]string{
		closed: dditest.Finished,
		failed: dditest.Failed,
		`{"status":{"execution":"closed","result":{"finished":"none"}}}`: dditest.Finished,
	} {
		s, _ := hawkbit()
		s.Assign("dev1", 1, dditest.Forced)
		require.Equal(t, 200, get(t, s, file).status)
		require.Equal(t, 200, post(t, s, "/deploymentBase/1/feedback", body).status)
		require.Equal(t, state, s.Action("1").State)
		for _, again := range []string{closed, failed, proceeding} {
			a := post(t, s, "/deploymentBase/1/feedback", again)
			require.Equal(t, 410, a.status)
			require.Empty(t, a.body)
		}
		require.Equal(t, state, s.Action("1").State)
		require.Equal(t, 200, get(t, s, me+"/deploymentBase/1").status, "it answers for actions that are over")
		require.NotContains(t, links(t, s), "deploymentBase")
		require.Equal(t, 404, get(t, s, file).status, "a retry of the same bundle")
		require.False(t, s.Cancel("1"))
		require.False(t, s.ForceQuit("1"))
	}
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	post(t, s, "/deploymentBase/1/feedback", failed)
	require.Equal(t, 7, s.Action("1").Code)
}

func TestAThousandEntries(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	for i := 1; i < 1000; i++ {
		require.Equal(t, 200, post(t, s, "/deploymentBase/1/feedback", proceeding).status, i)
	}
	a := post(t, s, "/deploymentBase/1/feedback", proceeding)
	require.Equal(t, 429, a.status)
	require.Equal(t, entries, a.body)
	require.Empty(t, a.header.Get("Retry-After"))
	require.Equal(t, 200, post(t, s, "/deploymentBase/1/feedback", closed).status, "the end is taken")
}

func TestAttributes(t *testing.T) {
	s, _ := hawkbit()
	long := strings.Repeat("k", 129)
	put := func(body string) said { return call(t, s, http.MethodPut, me+"/configData", body) }
	for _, body := range []string{`{"data":{"k":"` + long + `"}}`, `{"data":{"` + long + `":"v"}}`} {
		a := put(body)
		require.Equal(t, 400, a.status)
		require.Equal(t, badAttr, a.body)
		require.Contains(t, links(t, s), "configData", "it stays until it is followed")
	}
	require.Equal(t, 400, put(`{"mode":"other","data":{"k":"v"}}`).status)
	require.Equal(t, 400, put(`{}`).status)
	require.Equal(t, 200, put(`{"data":{"k":"`+long[1:]+`"}}`).status)
	require.NotContains(t, links(t, s), "configData")
	require.Equal(t, 200, put(`{"mode":"merge","data":{"l":"m"}}`).status)
	require.Len(t, s.Attributes("dev1"), 2)
	require.Equal(t, 200, put(`{"mode":"remove","data":{"k":""}}`).status)
	require.Equal(t, 200, put(`{"mode":"replace","data":{"n":"o"}}`).status)
	require.Equal(t, map[string]string{"n": "o"}, s.Attributes("dev1"))
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint(i)] = "v"
	}
	text, err := json.Marshal(map[string]any{"data": many})
	require.NoError(t, err)
	require.Equal(t, 429, put(string(text)).status)

	s.Assign("dev1", 1, dditest.Forced)
	require.NotContains(t, links(t, s), "configData")
	post(t, s, "/deploymentBase/1/feedback", closed)
	require.Contains(t, links(t, s), "configData", "it comes back after each finished action")
}
