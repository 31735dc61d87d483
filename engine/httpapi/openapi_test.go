package httpapi_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// example is a real request for each route.
type example struct{ method, path, body, described string }

func examples() []example {
	return []example{
		{"GET", "/", "", "/"},
		{"GET", progress, "", progress},
		{"POST", download, wanted, download},
		{"POST", install, `{"version":"1.2.0"}`, install},
		{"GET", "/api/v2/openapi.json", "", "/api/v2/openapi.json"},
		{"GET", "/api/v2/status", "", "/api/v2/status"},
		{"GET", "/api/v2/updates", "", "/api/v2/updates"},
		{"GET", "/api/v2/updates/u1", "", "/api/v2/updates/{id}"},
		{"GET", "/api/v2/updates/u1/journal", "", "/api/v2/updates/{id}/journal"},
		{"GET", "/api/v2/updates/u1/journal?format=jsonl", "", "/api/v2/updates/{id}/journal"},
		{"GET", "/api/v2/journal", "", "/api/v2/journal"},
		{"GET", "/api/v2/journal?format=jsonl", "", "/api/v2/journal"},
		{"GET", "/api/v2/journal/verify", "", "/api/v2/journal/verify"},
		{"GET", "/api/v2/versions", "", "/api/v2/versions"},
		{"POST", "/api/v2/versions/1.0.0/verify", "", "/api/v2/versions/{version}/verify"},
		{"POST", "/api/v2/install", `{"url":"http://h/b.zip","name":"b.zip","size":1,"md5":"600aff0f78265dd25bb6907828f916dd","version":"1.2.0","hold":true,"retry":true}`, "/api/v2/install"},
		{"POST", "/api/v2/proceed", `{"version":"1.2.0"}`, "/api/v2/proceed"},
		{"POST", "/api/v2/cancel", "", "/api/v2/cancel"},
		{"POST", "/api/v2/rollback", `{"to":"1.0.0"}`, "/api/v2/rollback"},
		{"POST", "/api/v2/prune", `{"keep":2}`, "/api/v2/prune"},
		{"POST", "/api/v2/factory/create", `{"version":"1.0.0","replace":true}`, "/api/v2/factory/create"},
		{"POST", "/api/v2/factory/verify", `{}`, "/api/v2/factory/verify"},
		{"POST", "/api/v2/factory/restore", "", "/api/v2/factory/restore"},
		{"GET", "/api/v2/links", "", "/api/v2/links"},
		{"GET", "/api/v2/quarantine", "", "/api/v2/quarantine"},
		{"POST", "/api/v2/quarantine/clear", `{"release":"1.3.0","why":"the server was wrong"}`, "/api/v2/quarantine/clear"},
		{"GET", "/api/v2/fleet", "", "/api/v2/fleet"},
		{"POST", "/api/v2/fleet/check", "", "/api/v2/fleet/check"},
		{"POST", "/api/v2/fleet/install", "{}", "/api/v2/fleet/install"},
		{"POST", "/api/v2/fleet/hold", `{"why":"a fair","for":"72h"}`, "/api/v2/fleet/hold"},
		{"POST", "/api/v2/fleet/hold", `{"why":"a fair","until":"2226-12-24T18:00:00+01:00"}`, "/api/v2/fleet/hold"},
		{"POST", "/api/v2/fleet/hold", `{"why":"a fair"}`, "/api/v2/fleet/hold"},
		{"POST", "/api/v2/fleet/release", "", "/api/v2/fleet/release"},
		{"POST", "/api/v2/links", "", "/api/v2/links"},
		{"POST", "/api/v2/reload", "", "/api/v2/reload"},
		{"POST", "/api/v2/trust/forget", `{"why":"a new owner"}`, "/api/v2/trust/forget"},
		{"POST", "/api/v2/links", `{"pointers":true,"current":"1.1.0","adopt":true}`, "/api/v2/links"},
	}
}

// matches requires that the document describes the response.
func (s spec) matches(t *testing.T, e example, r *http.Response) {
	t.Helper()
	body := text(t, r)
	path := []string{"paths", e.described, strings.ToLower(e.method), "responses", strconv.Itoa(r.StatusCode)}
	if s.at(path...) == nil {
		path[len(path)-1] = "default"
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	schema := s.at(append(path, "content", media, "schema")...)
	require.NotNil(t, schema, "%s %s: %s is not described", e.method, e.path, media)
	var v any = body
	if media != "application/jsonl" {
		require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	}
	require.NoError(t, s.check("body", schema, v), "%s %s: %s", e.method, e.path, body)
}

func TestTheDocumentDescribesEveryRouteAndNoOther(t *testing.T) {
	s := loadSpec(t)
	var described []string
	for path, item := range s.at("paths").(map[string]any) {
		for method := range item.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	routes := httpapi.Routes()
	for i, r := range routes {
		routes[i] = strings.TrimSuffix(r, "{$}")
	}
	require.ElementsMatch(t, routes, described)
	for _, route := range routes {
		require.True(t, slices.ContainsFunc(examples(), func(e example) bool { return e.method+" "+e.described == route }), "no example for %s", route)
	}
}

func TestTheDocumentKnowsEveryStateAndProblem(t *testing.T) {
	s := loadSpec(t)
	want := []any{string(engine.Idle)}
	for _, st := range engine.States() {
		want = append(want, string(st))
	}
	require.ElementsMatch(t, want, s.at("components", "schemas", "State", "enum"))
	var kinds []any
	for _, kind := range httpapi.ProblemKinds() {
		kinds = append(kinds, httpapi.TypePrefix+kind)
	}
	require.ElementsMatch(t, kinds, s.at("components", "schemas", "Problem", "properties", "type", "enum"))
}

func TestRequestsAndGoodAnswersAreAsDescribed(t *testing.T) {
	s := loadSpec(t)
	for _, e := range examples() {
		t.Run(e.method+" "+e.path, func(t *testing.T) {
			if e.body != "" {
				var v any
				require.NoError(t, json.Unmarshal([]byte(e.body), &v))
				schema := s.at("paths", e.described, strings.ToLower(e.method), "requestBody", "content", "application/json", "schema")
				require.NoError(t, s.check("request", schema, v))
			}
			r := ask(httpapitest.New().Handler(), e.method, e.path, e.body)
			require.Less(t, r.StatusCode, 300)
			if r.StatusCode == http.StatusAccepted {
				require.NotEmpty(t, r.Header.Get("Location"))
			}
			s.matches(t, e, r)
		})
	}
}

func TestBadAnswersAreAsDescribed(t *testing.T) {
	s := loadSpec(t)
	errs := append(engineErrors(), fmt.Errorf("nobody expected this"))
	for _, e := range examples() {
		for _, err := range errs {
			d := httpapitest.New()
			d.Fail(err)
			s.matches(t, e, ask(d.Handler(), e.method, e.path, e.body))
		}
		s.matches(t, e, ask(httpapitest.New().Handler(), e.method, e.path, e.body, host("evil.example")))
		s.matches(t, e, ask(httpapitest.New().Handler(), e.method, e.path, "[]", header("Content-Type", "application/json")))
	}
}

func TestStatusOfEveryStateIsAsDescribed(t *testing.T) {
	s := loadSpec(t)
	e := example{"GET", "/api/v2/status", "", "/api/v2/status"}
	for _, st := range engine.States() {
		d := httpapitest.New()
		d.Open(st, 42)
		d.Change(func(s *engine.Status) {
			last := *s.Update
			last.Ended = d.Clock.Now().Add(time.Second)
			last.Error = &engine.ErrorStatus{Code: "IO_ERROR", Class: "local", Text: "read-only file system"}
			last.Cause = last.Error
			s.Last = &last
			s.Quarantine = []journal.Quarantined{{Version: "1.3.0", Digest: "md5:13", Reason: "the gate failed", Update: "u0", Time: d.Clock.Now()}}
		})
		s.matches(t, e, ask(d.Handler(), e.method, e.path, ""))
		s.matches(t, example{"GET", progress, "", progress}, ask(d.Handler(), "GET", progress, ""))
	}
}

// engineErrors are all the errors that the handler knows by name.
func engineErrors() []error {
	return []error{
		&engine.BusyError{Update: "u2", State: engine.Staging},
		engine.ErrQuarantined, engine.ErrTooLate, engine.ErrNothingToDo, engine.ErrExpired, engine.ErrNotFound, engine.ErrInvalid, engine.ErrJournal, httpapi.ErrSource,
		versions.ErrInUse, versions.ErrExists, versions.ErrNotFound, versions.ErrFactorySet, versions.ErrCurrentSet, versions.ErrForeign,
		versions.ErrDamaged, versions.ErrMismatch, versions.ErrNotExecutable,
		versions.ErrSpecialBits, versions.ErrStrayLink, versions.ErrNoManifest, disk.ErrMounted,
	}
}
