package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/httpapitest"
)

const (
	progress = "/api/v1.0/progress"
	download = "/api/v1.0/download"
	install  = "/api/v1.0/update"
	wanted   = `{"version":"1.2.0","package_url":"http://127.0.0.1:8888/a/app-1.2.0.zip","package_name":"app-1.2.0.zip","package_size":468,"package_md5":"600aff0f78265dd25bb6907828f916dd"}`
)

// TestLegacyClientsSeeFrozenBodies is a conversation as an old client has it.
func TestLegacyClientsSeeFrozenBodies(t *testing.T) {
	d := httpapitest.New()
	h := d.Handler()
	var b strings.Builder
	say := func(method, path, body string) {
		r := ask(h, method, path, body)
		fmt.Fprintf(&b, "%s %s %s\n%d %s\n%s\n\n", method, path, body, r.StatusCode, r.Header.Get("Content-Type"), text(t, r))
	}
	title := func(s string) { fmt.Fprintf(&b, "# %s\n\n", s) }

	title("idle")
	say("GET", "/", "")
	say("GET", progress, "")
	title("a download, asked for twice")
	say("POST", download, wanted)
	d.Open(engine.Downloading, 37)
	say("GET", progress, "")
	d.Fail(&engine.BusyError{Update: "u2", State: engine.Downloading})
	say("POST", download, wanted)
	say("POST", install, `{"version":"1.2.0"}`)
	title("ready, but not that version")
	d.Open(engine.Ready, 100)
	d.Fail(engine.ErrNotFound)
	say("GET", progress, "")
	say("POST", install, `{"version":"1.3.0"}`)
	title("ready for too long")
	d.Fail(engine.ErrExpired)
	say("POST", install, `{"version":"1.2.0"}`)
	title("installed")
	d.Fail(nil)
	say("POST", install, `{"version":"1.2.0"}`)
	d.Open(engine.CheckingHealth, 50)
	say("GET", progress, "")
	d.Open(engine.Committed, 100)
	say("GET", progress, "")
	d.Fail(engine.ErrNothingToDo)
	say("POST", download, wanted)
	title("a release that failed before")
	d.Fail(fmt.Errorf("%w: 1.2.0 (md5:60) failed on this device before", engine.ErrQuarantined))
	say("POST", download, wanted)
	title("a journal that cannot be written")
	d.Fail(fmt.Errorf("%w: /var/lib/tope-updater/journal.db: read-only file system", engine.ErrJournal))
	say("POST", download, wanted)
	golden(t, "legacy.golden", b.String())
}

func TestLegacyRequestsReachTheEngine(t *testing.T) {
	d := httpapitest.New()
	h := d.Handler()
	require.Equal(t, 200, ask(h, "POST", download, wanted).StatusCode)
	require.Equal(t, 200, ask(h, "POST", install, `{"version":"1.2.0","extra":{"old":"clients send more"}}`).StatusCode)
	require.Equal(t, []string{
		"install {Source:{URL:http://127.0.0.1:8888/a/app-1.2.0.zip Name:app-1.2.0.zip Size:468 MD5:600aff0f78265dd25bb6907828f916dd Version:1.2.0} Hold:true Retry:false Force:false Check:false}",
		"proceed 1.2.0",
	}, d.Calls())
}

func TestLegacyValidation(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(wanted, old, new, 1) }
	for name, c := range map[string]struct{ path, body, says string }{
		"nothing":              {download, ``, "field version is missing"},
		"an empty object":      {download, `{}`, "field version is missing"},
		"no size":              {download, edit(`,"package_size":468`, ``), "field package_size is missing"},
		"not JSON":             {download, `version=1`, "not a JSON object"},
		"a list":               {download, `[]`, "not a JSON object"},
		"a string":             {download, `"x"`, "not a JSON object"},
		"cut off":              {download, wanted[:len(wanted)-1], "not a JSON object"},
		"trailing data":        {download, wanted + `{}`, "something follows"},
		"a name twice":         {download, edit(`"package_size":468`, `"package_size":468,"package_size":469`), `"package_size" is there twice`},
		"not UTF-8":            {download, edit("app-1", "app-\xff"), "not UTF-8"},
		"version as a number":  {download, edit(`"1.2.0"`, `1.2`), "field version must be a string"},
		"version null":         {download, edit(`"1.2.0"`, `null`), "field version must be a string"},
		"version empty":        {download, edit(`"1.2.0"`, `""`), "version must not be empty"},
		"version with a v":     {download, edit(`"1.2.0"`, `"v1.2.0"`), "v1.2.0"},
		"version is a path":    {download, edit(`"1.2.0"`, `"../../etc"`), "etc"},
		"version of two parts": {download, edit(`"1.2.0"`, `"1.2"`), "1.2"},
		"size as a string":     {download, edit(`468`, `"468"`), "field package_size must be a whole number"},
		"size zero":            {download, edit(`468`, `0`), "package_size must be greater than 0"},
		"size negative":        {download, edit(`468`, `-1`), "package_size must be greater than 0"},
		"size fractional":      {download, edit(`468`, `468.5`), "field package_size must be a whole number"},
		"size beyond int64":    {download, edit(`468`, `99999999999999999999`), "field package_size must be a whole number"},
		"MD5 in capitals":      {download, edit(`600aff`, `600AFF`), "32 lower-case hex digits"},
		"MD5 too short":        {download, edit(`600aff`, ``), "32 lower-case hex digits"},
		"MD5 empty":            {download, edit(`600aff0f78265dd25bb6907828f916dd`, ``), "32 lower-case hex digits"},
		"name is a path":       {download, edit(`"app-1.2.0.zip"`, `"../app.zip"`), "not a plain file name"},
		"name has a backslash": {download, edit(`"app-1.2.0.zip"`, `"a\\b.zip"`), "not a plain file name"},
		"name has a newline":   {download, edit(`"app-1.2.0.zip"`, `"a\nb.zip"`), "not a plain file name"},
		"name is dots":         {download, edit(`"app-1.2.0.zip"`, `".."`), "not a plain file name"},
		"name empty":           {download, edit(`"app-1.2.0.zip"`, `""`), "package_name must not be empty"},
		"name too long":        {download, edit(`"app-1.2.0.zip"`, `"`+strings.Repeat("a", 256)+`"`), "not a plain file name"},
		"URL of a file":        {download, edit(`http://127.0.0.1:8888/a`, `file:///etc`), "must be http or https"},
		"URL without a host":   {download, edit(`http://127.0.0.1:8888/a`, `http:///a`), "names no host"},
		"URL is a path":        {download, edit(`http://127.0.0.1:8888/a`, `/a`), "must be http or https"},
		"URL empty":            {download, edit(`http://127.0.0.1:8888/a/app-1.2.0.zip`, ``), "package_url must not be empty"},
		"URL unparsable":       {download, edit(`http://127.0.0.1:8888/a`, `http://[::1`), "cannot be parsed"},
		"URL too long":         {download, edit(`:8888/a`, `:8888/`+strings.Repeat("a", 9000)), "longer than"},
		"update of nothing":    {install, `{}`, "field version is missing"},
		"update of a list":     {install, `{"version":["1.2.0"]}`, "field version must be a string"},
		"update of a path":     {install, `{"version":"1.2.0/.."}`, "1.2.0/.."},
	} {
		t.Run(name, func(t *testing.T) {
			d := httpapitest.New()
			r := ask(d.Handler(), "POST", c.path, c.body)
			body := text(t, r)
			require.Equal(t, 400, r.StatusCode, body)
			require.Contains(t, body, `{"code":400,"msg":"VALIDATION_ERROR: `)
			require.NotContains(t, body, "invalid request")
			require.Contains(t, body, strings.ReplaceAll(c.says, `"`, `\"`))
			require.Empty(t, d.Calls(), "the engine was asked")
		})
	}
}

func TestLegacyBodiesOfOtherKinds(t *testing.T) {
	h := httpapitest.New().Handler()
	r := ask(h, "POST", download, wanted, header("Content-Type", "text/plain"))
	require.Equal(t, 415, r.StatusCode)
	require.Equal(t, `{"code":415,"msg":"VALIDATION_ERROR: the body must be application/json"}`, text(t, r))
	r = ask(h, "POST", download, `{"a":"`+strings.Repeat("x", httpapi.MaxBody)+`"}`)
	require.Equal(t, 413, r.StatusCode)
	require.Contains(t, text(t, r), `{"code":413,"msg":"VALIDATION_ERROR: `)
	r = ask(h, "POST", download, wanted, header("Content-Type", "application/json; charset=utf-8"))
	require.Equal(t, 200, r.StatusCode)
}

// TestSuccessTurnsIdleWithoutAnybodyAsking: the view depends on the time alone.
func TestSuccessTurnsIdleWithoutAnybodyAsking(t *testing.T) {
	d := httpapitest.New()
	h := d.Handler()
	for _, c := range []struct {
		since time.Duration
		want  string
	}{{64 * time.Second, `"stage":"success"`}, {65 * time.Second, `"stage":"idle"`}} {
		d.Change(func(s *engine.Status) {
			s.Last = &engine.UpdateStatus{ID: "u1", State: engine.Committed, To: "1.1.0", SinceEnd: c.since}
		})
		require.Contains(t, text(t, ask(h, "GET", progress, "")), c.want)
	}
}
