package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

func TestCommandsReachTheEngine(t *testing.T) {
	const update = "/api/v2/updates/u2"
	for name, c := range map[string]struct {
		path, body string
		location   string
		calls      []string
	}{
		"install": {
			"/api/v2/install", `{"url":"https://h/b.zip"}`, update,
			[]string{"install {Source:{URL:https://h/b.zip Name: Size:0 MD5: Version:} Hold:false Retry:false Force:false Check:false}"},
		},
		"install a file": {
			"/api/v2/install", `{"url":"/media/usb/app 100%?.zip","retry":true}`, update,
			[]string{"install {Source:{URL:/media/usb/app 100%?.zip Name: Size:0 MD5: Version:} Hold:false Retry:true Force:false Check:false}"},
		},
		"install a file URL": {
			"/api/v2/install", `{"url":"file:///media/b.zip","hold":true}`, update,
			[]string{"install {Source:{URL:file:///media/b.zip Name: Size:0 MD5: Version:} Hold:true Retry:false Force:false Check:false}"},
		},
		"check a release": {
			"/api/v2/install", `{"url":"https://h/b.zip","check":true}`, update,
			[]string{"install {Source:{URL:https://h/b.zip Name: Size:0 MD5: Version:} Hold:false Retry:false Force:false Check:true}"},
		},
		"proceed":                {"/api/v2/proceed", `{"version":"1.2.0"}`, update, []string{"proceed 1.2.0"}},
		"cancel":                 {"/api/v2/cancel", ``, update, []string{"cancel"}},
		"cancel, empty object":   {"/api/v2/cancel", `{}`, update, []string{"cancel"}},
		"rollback":               {"/api/v2/rollback", ``, update, []string{`rollback ""`}},
		"rollback to":            {"/api/v2/rollback", `{"to":"1.0.0"}`, update, []string{`rollback "1.0.0"`}},
		"rollback by force":      {"/api/v2/rollback", `{"to":"1.0.0","force":true}`, update, []string{`rollback "1.0.0" by force`}},
		"restore":                {"/api/v2/factory/restore", ``, update, []string{"restore factory"}},
		"prune as configured":    {"/api/v2/prune", ``, "/api/v2/versions", []string{"exclusive prune", "prune 3"}},
		"prune to one":           {"/api/v2/prune", `{"keep":1}`, "/api/v2/versions", []string{"exclusive prune", "prune 1"}},
		"prune to none":          {"/api/v2/prune", `{"keep":0}`, "/api/v2/versions", []string{"exclusive prune", "prune 0"}},
		"factory of the current": {"/api/v2/factory/create", ``, "/api/v2/versions", []string{"exclusive factory create 1.1.0", "create factory 1.1.0 false"}},
		"factory of another":     {"/api/v2/factory/create", `{"version":"1.0.0","replace":true}`, "/api/v2/versions", []string{"exclusive factory create 1.0.0", "create factory 1.0.0 true"}},
		"links":                  {"/api/v2/links", ``, "/api/v2/links", []string{"exclusive links", "ensure links 1.1.0", "sweep links 1.1.0"}},
		"links and pointers":     {"/api/v2/links", `{"pointers":true,"current":"1.1.0","adopt":true}`, "/api/v2/links", []string{"exclusive links", `set pointers "1.1.0"`, "adopt links 1.1.0", "ensure links 1.1.0", "sweep links 1.1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := httpapitest.New()
			r := ask(d.Handler(), "POST", c.path, c.body)
			require.Equal(t, http.StatusAccepted, r.StatusCode, text(t, r))
			require.Equal(t, c.location, r.Header.Get("Location"))
			require.Equal(t, c.calls, d.Calls())
		})
	}
}

func TestFieldsThatMakeNoSense(t *testing.T) {
	for path, bodies := range map[string][]string{
		"/api/v2/proceed":                {`{}`, `{"version":""}`, `{"version":"v1.2.0"}`, `{"version":"1.2.0","hold":true}`},
		"/api/v2/cancel":                 {`{"update":"u2"}`},
		"/api/v2/rollback":               {`{"to":"../1.0.0"}`, `{"to":7}`, `{"two":"1.0.0"}`},
		"/api/v2/prune":                  {`{"keep":-1}`, `{"keep":1.5}`, `{"keep":99999999999}`},
		"/api/v2/factory/create":         {`{"version":"factory"}`, `{"replace":1}`},
		"/api/v2/factory/restore":        {`{"to":"1.0.0"}`},
		"/api/v2/factory/verify":         {`{"version":"1.0.0"}`},
		"/api/v2/versions/v1.0.0/verify": {``},
		"/api/v2/versions/..%2F1/verify": {``},
		"/api/v2/links":                  {`{"version":"1.0.0"}`, `{"pointers":1}`, `{"pointers":true,"current":"v1.0.0"}`},
	} {
		for _, body := range bodies {
			d := httpapitest.New()
			refusedAs(t, ask(d.Handler(), "POST", path, body), 400, "invalid")
			require.Empty(t, d.Calls(), "%s %s", path, body)
		}
	}
}

// A field that has to be there is not to be left out; another one may be.
func TestEmptyFields(t *testing.T) {
	h := httpapitest.New().Handler()
	for _, c := range []struct{ path, body, says string }{
		{"/api/v2/proceed", `{"version":""}`, "field version is empty; give it a value"},
		{"/api/v2/install", `{"url":""}`, "field url is empty; give it a value"},
		{"/api/v2/install", `{"url":"https://h/b.zip","name":""}`, "field name is empty; give it a value, or leave it out"},
		{"/api/v2/rollback", `{"to":""}`, "field to is empty; give it a value, or leave it out"},
	} {
		p := refusedAs(t, ask(h, "POST", c.path, c.body), 400, "invalid")
		require.True(t, strings.HasSuffix(p.Detail, c.says), "%s %s: %s", c.path, c.body, p.Detail)
	}
}

func TestThingsThatAreNotThere(t *testing.T) {
	d := httpapitest.New()
	h := d.Handler()
	refusedAs(t, ask(h, "GET", "/api/v2/updates/u9", ""), 404, "not-found")
	refusedAs(t, ask(h, "GET", "/api/v2/updates/u9/journal", ""), 404, "not-found")
	refusedAs(t, ask(h, "POST", "/api/v2/versions/9.9.9/verify", ""), 404, "no-version")
	refusedAs(t, ask(h, "GET", "/api/v2/journal?format=xml", ""), 400, "invalid")
	d.Change(func(s *engine.Status) { s.Pointers = versions.Pointers{} })
	refusedAs(t, ask(h, "POST", "/api/v2/factory/create", ""), 404, "not-found")
	refusedAs(t, ask(h, "POST", "/api/v2/factory/verify", ""), 404, "not-found")
	refusedAs(t, ask(h, "POST", "/api/v2/links", ""), 404, "not-found")
	refusedAs(t, ask(h, "GET", "/api/v2/links", ""), 404, "not-found")
}

func TestProblemsSayWhatTheDeviceIsBusyWith(t *testing.T) {
	d := httpapitest.New()
	d.Fail(&engine.BusyError{Update: "u2", State: engine.Staging})
	p := refusedAs(t, ask(d.Handler(), "POST", "/api/v2/prune", ""), 409, "busy")
	require.Equal(t, "u2", p.Update)
	require.Equal(t, engine.Staging, p.State)
}

func TestProblemsTellAStepsFailure(t *testing.T) {
	d := httpapitest.New()
	d.Fail(&steps.Error{Class: steps.Refused, Code: steps.InvalidManifest, Err: fmt.Errorf("bin/x: not listed"), Hint: "publish it again"})
	p := refusedAs(t, ask(d.Handler(), "POST", "/api/v2/factory/create", ""), 422, "refused")
	require.Equal(t, steps.InvalidManifest, p.Code)
	require.Equal(t, steps.Refused, p.Class)
	require.Equal(t, "publish it again", p.Hint)
	d.Fail(&steps.Error{Class: steps.Local, Code: steps.IOError, Err: fmt.Errorf("/opt/tope: I/O error")})
	refusedAs(t, ask(d.Handler(), "POST", "/api/v2/factory/create", ""), 500, "internal")
}

// A full disk is nothing that is wrong with the updater, whoever has found it full.
func TestAFullDiskIsAProblemOfItsOwn(t *testing.T) {
	d := httpapitest.New()
	for _, err := range []error{
		&steps.Error{Class: steps.Local, Code: steps.DiskFull, Err: fmt.Errorf("/opt/tope: no space left")},
		steps.FromOS(unix.EDQUOT, "keep the URL"),
		fmt.Errorf("write: %w", unix.ENOSPC),
		&disk.SpaceError{Path: "/opt/tope"},
	} {
		d.Fail(err)
		refusedAs(t, ask(d.Handler(), "POST", "/api/v2/factory/create", ""), 507, "disk-full")
	}
	d.Fail(fmt.Errorf("%w: %w", engine.ErrJournal, unix.ENOSPC))
	refusedAs(t, ask(d.Handler(), "POST", "/api/v2/factory/create", ""), 503, "journal")
}

func TestAFactoryThatIsRefusedNamesItsFiles(t *testing.T) {
	d := httpapitest.New()
	o := d.Options()
	o.Versions = badFactory{Versions: o.Versions}
	p := refusedAs(t, ask(httpapi.New(o), "POST", "/api/v2/factory/create", ""), 422, "not-executable")
	require.Equal(t, []versions.Problem{{Path: "bin/web-server", Kind: "changed"}}, p.Problems)
}

type badFactory struct{ httpapi.Versions }

func (badFactory) CreateFactory(context.Context, string, bool) (versions.FactoryReport, error) {
	return versions.FactoryReport{Problems: []versions.Problem{{Path: "bin/web-server", Kind: "changed"}}}, versions.ErrNotExecutable
}

func TestTheJournalAsJSONLines(t *testing.T) {
	r := ask(httpapitest.New().Handler(), "GET", "/api/v2/journal?format=jsonl", "")
	require.Equal(t, "application/jsonl", r.Header.Get("Content-Type"))
	lines := strings.Split(strings.TrimSuffix(text(t, r), "\n"), "\n")
	require.Len(t, lines, 2)
	for i, line := range lines {
		var rec httpapi.Record
		require.NoError(t, json.Unmarshal([]byte(line), &rec))
		require.EqualValues(t, i+1, rec.Seq)
		require.NotEmpty(t, rec.Sum, "the chain is exported, too")
	}
}
