package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/secret"
)

// wire makes requests that no device of this project makes, and looks at the status alone.
type wire struct {
	web     http.RoundTripper
	url, id string
	token   secret.Text
}

// wants is an error unless the answer has this status. Headers are "Name: value", or
// "Name:" for none.
func (w *wire) wants(ctx context.Context, method, rest, body string, status int, headers ...string) error {
	got, _, err := w.ask(ctx, method, rest, body, headers...)
	if err == nil && got != status {
		err = fmt.Errorf("%s %s %.100s %s: %d, not %d", method, rest, body, strings.Join(headers, " "), got, status)
	}
	return err
}

// ask is an answer's status and ETag.
func (w *wire) ask(ctx context.Context, method, rest, body string, headers ...string) (status int, tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url+w.id+rest, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "TargetToken "+w.token.Reveal())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if req.Header.Set(name, strings.TrimSpace(value)); value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := w.web.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, resp.Header.Get("ETag"), errors.Join(err, resp.Body.Close())
}

// said is a feedback.
func said(execution, finished string, details ...string) string {
	text := ""
	if len(details) > 0 {
		text = `,"details":["` + strings.Join(details, `","`) + `"]`
	}
	return `{"status":{"execution":"` + execution + `","result":{"finished":"` + finished + `"}` + text + `}}`
}

// onTheWire has the rows of the table that the client depends on and never provokes.
func (t *table) onTheWire(ctx context.Context) error {
	o, err := t.assigned(ctx, t.first, "forced", false, fleet.Install, true)
	if err != nil {
		return err
	}
	var wrong []error
	check := func(method, rest, body string, status int, headers ...string) {
		wrong = append(wrong, t.wire.wants(ctx, method, rest, body, status, headers...))
	}
	_, base, err := t.wire.ask(ctx, "GET", "", "")
	if err != nil {
		return err
	}
	check("GET", "", "", 304, "If-None-Match: "+base)

	to := "/deploymentBase/" + o.Origin.Action + "/feedback"
	for _, execution := range []string{"proceeding", "download", "downloaded", "scheduled", "resumed", "rejected"} {
		check("POST", to, said(execution, "none"), 200)
	}
	check("POST", to, `{"id":"1","time":"20140511T121314","unknown":1,"status":{"execution":"proceeding","result":{"finished":"none","progress":{"cnt":2,"of":5}},"code":206}}`, 200)
	for _, body := range []string{`{}`, `not JSON`, said("nonsense", "none"), `{"status":{"execution":"proceeding"}}`} {
		check("POST", to, body, 400)
	}
	check("POST", to, said("proceeding", "none", "<b>x</b>"), 400)
	check("POST", to, said("proceeding", "none", strings.Repeat("y", 2000)), 200)
	check("POST", to, said("proceeding", "none", strings.Split(strings.Repeat("x", 50), "")...), 200)
	check("POST", to, said("proceeding", "none", strings.Split(strings.Repeat("x", 51), "")...), 429)

	_, file, _ := strings.Cut(o.Source.URL.String(), t.cfg.ID)
	_, tag, err := t.wire.ask(ctx, "GET", file, "")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		status  int
		headers []string
	}{
		{200, nil},
		{206, []string{"Range: bytes=100-199"}},
		{206, []string{"Range: bytes=299990-"}},
		{416, []string{"Range: bytes=300000-"}},
		{206, []string{"Range: bytes=100-199", "If-Range: " + tag}},
		{200, []string{"Range: bytes=100-199", `If-Range: "other"`}},
		{412, []string{`If-Match: "other"`}},
		{200, []string{"If-None-Match: " + tag}},
		{401, []string{"Authorization:"}},
	} {
		check("GET", file, "", c.status, c.headers...)
	}
	check("GET", file+".MD5SUM", "", 200)
	check("GET", file+".SHA256", "", 404)

	check("POST", to, said("closed", "none"), 200) // a success
	check("POST", to, said("closed", "failure"), 410)
	check("POST", to, said("proceeding", "none"), 410)
	check("GET", "/deploymentBase/"+o.Origin.Action, "", 200)
	check("GET", file, "", 404)
	check("POST", "/deploymentBase/999999/feedback", said("proceeding", "none"), 404)
	t.q.Accepted = nil
	// It is over for the server alone: what is told of it now is known.
	return errors.Join(append(wrong, t.shows(ctx, o.Origin, "finished"), t.tell(ctx, o.Origin, true, engine.Committed))...)
}
