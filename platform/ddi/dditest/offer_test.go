package dditest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi/dditest"
)

// handled is how an action is to be done: download, update, window.
func handled(t *testing.T, body string) [3]string {
	t.Helper()
	var v struct {
		Deployment struct{ Download, Update, MaintenanceWindow string }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	return [3]string{v.Deployment.Download, v.Deployment.Update, v.Deployment.MaintenanceWindow}
}

func TestHandling(t *testing.T) {
	s, _ := hawkbit()
	look := func() [3]string {
		return handled(t, get(t, s, me+"/"+links(t, s)["deploymentBase"]).body)
	}
	s.Assign("dev1", 1, dditest.Soft)
	require.Equal(t, [3]string{"attempt", "attempt", ""}, look())
	post(t, s, "/deploymentBase/1/feedback", failed)

	s.Assign("dev1", 1, dditest.DownloadOnly)
	require.Equal(t, [3]string{"forced", "skip", ""}, look())
	require.Equal(t, 200, post(t, s, "/deploymentBase/2/feedback", `{"status":{"execution":"downloaded","result":{"finished":"success"}}}`).status)
	require.Equal(t, dditest.Fetched, s.Action("2").State, "downloaded ends it")
	require.Equal(t, firstPoll, get(t, s, me).body)

	s.Assign("dev1", 1, dditest.Forced)
	s.Window("3", false)
	require.Equal(t, [3]string{"forced", "skip", "unavailable"}, look())
	before := get(t, s, me).header.Get("ETag")
	s.Window("3", true)
	require.NotEqual(t, before, get(t, s, me).header.Get("ETag"), "the row has changed")
	require.Equal(t, [3]string{"forced", "forced", "available"}, look())
}

// TestETag: what has not changed is not sent again. The link's number changes with the
// first look at the action, and not with what a device tells of it.
func TestETag(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	tag := func() string { return get(t, s, me).header.Get("ETag") }
	first := tag()
	a := get(t, s, me, "If-None-Match: "+first)
	require.Equal(t, 304, a.status)
	require.Equal(t, first, a.header.Get("ETag"))
	require.Empty(t, a.body)
	action := get(t, s, me+"/deploymentBase/1").header.Get("ETag")
	require.Equal(t, 304, get(t, s, me+"/deploymentBase/1", "If-None-Match: "+action).status)
	looked := tag()
	require.NotEqual(t, first, looked)
	post(t, s, "/deploymentBase/1/feedback", proceeding)
	require.Equal(t, looked, tag())
}

func TestHistory(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	require.NotContains(t, get(t, s, me+"/deploymentBase/1").body, "actionHistory")
	require.Contains(t, get(t, s, me+"/deploymentBase/1?actionHistory=10").body,
		`"actionHistory":{"status":"RETRIEVED","messages":["Update Server: Target retrieved update action and should start now the download.",`)
	require.Equal(t, []string{"running", "retrieved", "retrieved"}, states(s, "1"), "each look is an entry")
}

func states(s *dditest.Server, action string) (all []string) {
	for _, e := range s.Action(action).Entries {
		all = append(all, e.State)
	}
	return all
}

// TestCancel: by a newer assignment, refused by the device, accepted with the wrong word
// and with the right one.
func TestCancel(t *testing.T) {
	s, _ := hawkbit()
	s.AddBundle("app-1.2.0.tope", "1.2.0", []byte("newer"))
	s.Assign("dev1", 1, dditest.Forced)
	s.Assign("dev1", 2, dditest.Forced)
	require.Equal(t, "cancelAction/1", links(t, s)["cancelAction"])
	require.NotContains(t, links(t, s), "deploymentBase", "the newer one waits")
	require.Equal(t, 200, post(t, s, "/deploymentBase/1/feedback", proceeding).status)

	require.Equal(t, 200, post(t, s, "/cancelAction/1/feedback", `{"status":{"execution":"rejected","result":{"finished":"none"},"details":["too late"]}}`).status)
	require.Equal(t, "deploymentBase/1", links(t, s)["deploymentBase"], "it runs on")
	require.Equal(t, 404, get(t, s, me+"/cancelAction/1").status)
	require.True(t, s.Cancel("1"), "the operator can cancel again")
	require.False(t, s.Cancel("1"))

	require.Equal(t, 200, post(t, s, "/cancelAction/1/feedback", `{"status":{"execution":"canceled","result":{"finished":"none"}}}`).status)
	require.Equal(t, "cancelAction/1", links(t, s)["cancelAction"], "nothing has happened")
	for range 2 {
		require.Equal(t, 200, post(t, s, "/cancelAction/1/feedback", closed).status)
		require.Equal(t, dditest.Canceled, s.Action("1").State)
	}
	require.Equal(t, "deploymentBase/2", links(t, s)["deploymentBase"])

	require.False(t, s.ForceQuit("2"), "it is not cancelled")
	require.True(t, s.Cancel("2"))
	require.Equal(t, 200, post(t, s, "/deploymentBase/2/feedback", closed).status)
	require.Equal(t, dditest.Finished, s.Action("2").State, "an update that cannot be stopped may simply end")
	require.Equal(t, 404, post(t, s, "/cancelAction/7/feedback", closed).status)
	require.Equal(t, 400, post(t, s, "/cancelAction/1/feedback", `{}`).status)
}

func TestForceQuit(t *testing.T) {
	s, _ := hawkbit()
	s.Assign("dev1", 1, dditest.Forced)
	require.True(t, s.Cancel("1"))
	require.True(t, s.ForceQuit("1"))
	require.Equal(t, 410, post(t, s, "/deploymentBase/1/feedback", closed).status)
}

func TestConfirmation(t *testing.T) {
	s, _ := hawkbit()
	s.Switch(func(w *dditest.Switches) { w.Confirmation = true })
	s.Assign("dev1", 1, dditest.Forced)
	require.Equal(t, "confirmationBase/1", links(t, s)["confirmationBase"])
	require.NotContains(t, links(t, s), "deploymentBase")
	before := get(t, s, me).header.Get("ETag")
	require.Equal(t, 200, post(t, s, "/confirmationBase/1/feedback", `{"confirmation":"denied","code":1,"details":["busy"]}`).status)
	require.Equal(t, "confirmationBase/1", links(t, s)["confirmationBase"], "each poll offers it again")
	require.NotEqual(t, before, get(t, s, me).header.Get("ETag"))
	require.Equal(t, 404, post(t, s, "/deploymentBase/1/feedback", proceeding).status)
	require.Equal(t, 400, post(t, s, "/confirmationBase/1/feedback", `{"confirmation":"perhaps"}`).status)
	require.Equal(t, 200, post(t, s, "/confirmationBase/1/feedback", `{"confirmation":"confirmed","code":0,"details":["ok"]}`).status)
	require.Equal(t, "deploymentBase/1", links(t, s)["deploymentBase"])
}

func TestASetOfMany(t *testing.T) {
	s, _ := hawkbit()
	n := s.AddSet(dditest.Set{Name: "os", Version: "2", Modules: []dditest.Module{
		{Type: "runtime", Artifacts: []dditest.File{{Name: "a", Body: []byte("a")}, {Name: "b", Body: []byte("b")}}},
		{Type: "application"},
	}})
	s.Assign("dev1", n, dditest.Forced)
	body := get(t, s, me+"/deploymentBase/1").body
	require.Contains(t, body, `"part":"jvm","version":"2","name":"os"`)
	require.Contains(t, body, `"part":"bApp","version":"2","name":"os","artifacts":[]`)
	require.Contains(t, body, "softwaremodules/2/artifacts/b")
	require.Equal(t, 200, get(t, s, me+"/softwaremodules/2/artifacts/b").status)
	require.Equal(t, 404, get(t, s, me+"/softwaremodules/3/artifacts/b").status)
}
