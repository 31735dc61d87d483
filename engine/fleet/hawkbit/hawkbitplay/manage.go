package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/secret"
)

// manager is an operator of hawkBit, by its Management API.
type manager struct {
	url, user string
	password  secret.Text
	web       http.RoundTripper
}

// call makes a request, and reads its answer into out; nil for nowhere.
func (m *manager) call(ctx context.Context, method, path string, body, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	return m.send(ctx, method, path, "application/json", text, out)
}

func (m *manager) send(ctx context.Context, method, path, mediaType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(m.url, "/")+"/rest/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(m.user, m.password.Reveal())
	req.Header.Set("Accept", "application/hal+json, application/json")
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	resp, err := m.web.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s %.300s", method, path, resp.Status, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// made is something that the server has given a number.
type made []struct {
	ID int `json:"id"`
}

// setting changes one of the tenant's, and returns what it was.
func (m *manager) setting(ctx context.Context, key string, value any) (any, error) {
	var was struct {
		Value any `json:"value"`
	}
	if err := m.call(ctx, http.MethodGet, "system/configs/"+key, nil, &was); err != nil {
		return nil, err
	}
	return was.Value, m.call(ctx, http.MethodPut, "system/configs/"+key, map[string]any{"value": value}, nil)
}

func (m *manager) target(ctx context.Context, id, token string) error {
	return m.call(ctx, http.MethodPost, "targets", []map[string]string{{"controllerId": id, "name": id, "securityToken": token}}, nil)
}

// set makes a distribution set of one module with these files, and returns the numbers of both.
func (m *manager) set(ctx context.Context, name, version string, files map[string][]byte) (set, module int, err error) {
	var out made
	if err := m.call(ctx, http.MethodPost, "softwaremodules", []map[string]string{{"name": name, "version": version, "type": "application"}}, &out); err != nil {
		return 0, 0, err
	}
	if len(out) != 1 {
		return 0, 0, fmt.Errorf("%d modules were made", len(out))
	}
	module = out[0].ID
	for file, text := range files {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		part, err := w.CreateFormFile("file", file)
		if err == nil {
			_, err = part.Write(text)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return 0, module, err
		}
		if err := m.send(ctx, http.MethodPost, "softwaremodules/"+strconv.Itoa(module)+"/artifacts", w.FormDataContentType(), body.Bytes(), nil); err != nil {
			return 0, module, err
		}
	}
	err = m.call(ctx, http.MethodPost, "distributionsets",
		[]map[string]any{{"name": name, "version": version, "type": "app", "modules": []map[string]int{{"id": module}}}}, &out)
	if err != nil || len(out) != 1 {
		return 0, module, fmt.Errorf("%d sets were made: %w", len(out), err)
	}
	return out[0].ID, module, nil
}

// assign assigns a set in a way, within a window that will not open soon if shut, and
// returns the action.
func (m *manager) assign(ctx context.Context, id string, set int, way string, shut bool) (string, error) {
	body := map[string]any{"id": set, "type": way}
	if shut {
		body["maintenanceWindow"] = map[string]string{"schedule": "0 0 3 1 1 ? 2099", "duration": "01:00:00", "timezone": "+00:00"}
	}
	var out struct {
		Actions made `json:"assignedActions"`
	}
	if err := m.call(ctx, http.MethodPost, "targets/"+id+"/assignedDS", body, &out); err != nil {
		return "", err
	}
	if len(out.Actions) != 1 {
		return "", fmt.Errorf("%d actions were made", len(out.Actions))
	}
	return strconv.Itoa(out.Actions[0].ID), nil
}

// cancel asks the device to stop an action; with force the action ends at once.
func (m *manager) cancel(ctx context.Context, id, action string, force bool) error {
	path := "targets/" + id + "/actions/" + action
	if force {
		path += "?force=true"
	}
	return m.call(ctx, http.MethodDelete, path, nil, nil)
}

// state is how the operator sees an action.
func (m *manager) state(ctx context.Context, id, action string) (state string, code int, err error) {
	var out struct {
		// Detail is the action's own; Status is only pending or finished in newer versions.
		Status string `json:"status"`
		Detail string `json:"detailStatus"`
		Code   int    `json:"lastStatusCode"`
	}
	err = m.call(ctx, http.MethodGet, "targets/"+id+"/actions/"+action, nil, &out)
	if out.Detail != "" {
		out.Status = out.Detail
	}
	return out.Status, out.Code, err
}
