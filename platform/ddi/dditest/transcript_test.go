package dditest_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi/dditest"
)

// These are answers of hawkBit 1.1.0 itself, on 127.0.0.1:18980. Where the text depends
// on nothing but the names, the ETag is the same as well.
const (
	firstPoll = `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{"configData":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/configData"}}}`
	idle      = `{"config":{"polling":{"sleep":"00:00:30"}}}`
	installed = `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{"installedBase":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/installedBase/1"},"configData":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/configData"}}}`
	// offered and consists have # for the link's number and for digests.
	offered  = `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{"deploymentBase":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/deploymentBase/1?c=#"}}}`
	consists = `{"id":"1","deployment":{"download":"forced","update":"forced","chunks":[{"part":"bApp","version":"1.1.0","name":"app","artifacts":[{"filename":"app-1.1.0.tope","hashes":{"sha1":"#","md5":"#","sha256":"#"},"size":300000,"_links":{"download-http":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/softwaremodules/1/artifacts/app-1.1.0.tope"},"md5sum-http":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/softwaremodules/1/artifacts/app-1.1.0.tope.MD5SUM"}}}]}]}}`
	stop     = `{"id":"1","cancelAction":{"stopId":"1"}}`
	unread   = `{"errorCode":"hawkbit.server.error.rest.body.notReadable","exceptionClass":"org.eclipse.hawkbit.rest.exception.MessageNotReadableException","message":"The given request body is not well formed"}`
	invalid  = `{"errorCode":"hawkbit.server.error.repo.constraintViolation","exceptionClass":"jakarta.validation.ConstraintViolationException","message":"addUpdateActionStatus.create.messages[].<iterable element> Invalid characters in string."}`
	messages = `{"errorCode":"hawkbit.server.error.quota.tooManyEntries","exceptionClass":"org.eclipse.hawkbit.repository.exception.AssignmentQuotaExceededException","message":"Quota exceeded: Cannot assign 51 more Message entities to ActionStatus '<new>'. The maximum is 50."}`
	entries  = `{"errorCode":"hawkbit.server.error.quota.tooManyEntries","exceptionClass":"org.eclipse.hawkbit.repository.exception.AssignmentQuotaExceededException","message":"Quota exceeded: Cannot assign 1 more ActionStatus entities to Action '1'. The maximum is 1000."}`
	badAttr  = `{"errorCode":"hawkbit.server.error.repo.invalidTargetAttributes","exceptionClass":"org.eclipse.hawkbit.repository.exception.InvalidTargetAttributeException","message":"The given target attributes are invalid"}`
	auto     = `{"autoConfirm":{"active":false,"activatedAt":0},"_links":{"activateAutoConfirm":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/confirmationBase/activateAutoConfirm"},"confirmationBase":{"href":"http://127.0.0.1:18980/DEFAULT/controller/v1/dev1/confirmationBase/1?c=#"}}}`
)

// shape has # for each number and digest that two servers may have different.
func shape(body string) string {
	body = regexp.MustCompile(`c=[0-9]+`).ReplaceAllString(body, "c=#")
	return regexp.MustCompile(`[0-9a-f]{32,}`).ReplaceAllString(body, "#")
}

func TestAnswersAreHawkBits(t *testing.T) {
	s, _ := hawkbit()
	a := get(t, s, me)
	require.Equal(t, firstPoll, a.body)
	require.Equal(t, `"031230e67578432cef3bf0b2ed571748d"`, a.header.Get("ETag"))
	require.Equal(t, "application/hal+json", a.header.Get("Content-Type"))

	require.Equal(t, said{status: 200, header: plainHeader()}, call(t, s, http.MethodPut, me+"/configData", `{"mode":"merge","data":{"version":"1.0.0","hardware":"rev-b"}}`))
	a = get(t, s, me)
	require.Equal(t, idle, a.body)
	require.Equal(t, `"0095008cd417e92abba3e8a7c06d54ff5"`, a.header.Get("ETag"))

	s.Assign("dev1", 1, dditest.Forced)
	require.Equal(t, offered, shape(get(t, s, me).body))
	require.Equal(t, consists, shape(get(t, s, me+"/deploymentBase/1?c=411599879").body))
	require.Equal(t, said{status: 200, header: plainHeader()}, post(t, s, "/deploymentBase/1/feedback", closed))
	a = get(t, s, me)
	require.Equal(t, installed, a.body)
	require.Equal(t, `"09e58ed4d8e6aeeb3a0a709c4834d48e6"`, a.header.Get("ETag"))
	require.Equal(t, consists, shape(get(t, s, me+"/installedBase/1").body))
}

func plainHeader() http.Header {
	return http.Header{"Cache-Control": {"no-cache, no-store, max-age=0, must-revalidate"}}
}

func TestCancelAndConfirmationAreHawkBits(t *testing.T) {
	s, _ := hawkbit()
	s.Switch(func(w *dditest.Switches) { w.Confirmation = true })
	s.Assign("dev1", 1, dditest.Forced)
	require.Equal(t, auto, shape(get(t, s, me+"/confirmationBase").body))
	body := get(t, s, me+"/confirmationBase/1").body
	require.Contains(t, body, `{"id":"1","confirmation":{"download":"forced","update":"forced","chunks":[{"part":"bApp",`)
	require.True(t, s.Cancel("1"))
	require.Equal(t, stop, get(t, s, me+"/cancelAction/1").body)
}

// TestAuthentication: whoever is not known gets a 401 without a word.
func TestAuthentication(t *testing.T) {
	s, _ := hawkbit()
	s.AddTarget("other", "othersecret")
	for name, c := range map[string]struct {
		path, header string
		status       int
	}{
		"no token":                           {me, "Authorization:", 401},
		"a wrong token":                      {me, "Authorization: TargetToken wrong", 401},
		"another target's":                   {me, "Authorization: TargetToken othersecret", 401},
		"an unknown id":                      {"/DEFAULT/controller/v1/unknown", "Authorization: TargetToken x", 401},
		"the gateway's":                      {me, "Authorization: GatewayToken gatewaysecret0123456789abcdef", 200},
		"a wrong gateway's":                  {me, "Authorization: GatewayToken x", 401},
		"the gateway's, and an unknown id":   {"/DEFAULT/controller/v1/unknown2", "Authorization: GatewayToken gatewaysecret0123456789abcdef", 200},
		"the right one in another's clothes": {me, "Authorization: Bearer " + token, 401},
	} {
		a := get(t, s, c.path, c.header)
		require.Equal(t, c.status, a.status, name)
		if c.status == 401 {
			require.Empty(t, a.body, name)
		}
	}
	require.Empty(t, s.Attributes("unknown2"), "it is a target now")
	s.Switch(func(w *dditest.Switches) { w.NoTargetTokens, w.GatewayToken = true, "" })
	require.Equal(t, 401, get(t, s, me).status, "no kind is enabled")
}
