package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/ddi/dditest"
)

// operated is dditest's server with as much of a Management API as manage.go asks for.
type operated struct {
	*dditest.Server
	// asked are the requests that were made to it, and left what was made and not removed.
	left map[string]bool
	// modules are the software modules' files; their numbers are the places.
	modules  [][]dditest.File
	settings map[string]any
}

func newOperated() *operated {
	return &operated{
		Server: dditest.New(dditest.Switches{Links: "http://127.0.0.1"}), left: map[string]bool{},
		settings: map[string]any{targetTokens: true, confirmation: false},
	}
}

func (o *operated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, managed := strings.CutPrefix(r.URL.Path, "/rest/v1/")
	if !managed {
		o.Switch(func(s *dditest.Switches) { s.Links = "http://" + r.Host })
		o.Server.ServeHTTP(w, r)
		return
	}
	if user, password, _ := r.BasicAuth(); user != "admin" || password != "hunter2" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status, answer := o.manage(r, strings.Split(path, "/"))
	w.Header().Set("Content-Type", "application/hal+json")
	w.WriteHeader(status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// manage answers as hawkBit did, as far as somebody looks at it.
func (o *operated) manage(r *http.Request, path []string) (int, any) {
	numbered := func(n int) any { return []map[string]int{{"id": n}} }
	read := func(v any) { _ = json.NewDecoder(r.Body).Decode(v) }
	switch what := r.Method + " " + path[0]; {
	case what == "GET system":
		return 200, map[string]any{"value": o.settings[path[2]]}
	case what == "PUT system":
		var body struct{ Value any }
		read(&body)
		o.settings[path[2]] = body.Value
		o.Switch(func(s *dditest.Switches) { s.Confirmation = o.settings[confirmation] == true })
		return 204, nil
	case len(path) == 2 && r.Method == http.MethodDelete:
		delete(o.left, path[0]+path[1])
		return 200, nil
	case what == "POST targets" && len(path) == 1:
		var body []struct{ ControllerID, SecurityToken string }
		read(&body)
		o.AddTarget(body[0].ControllerID, body[0].SecurityToken)
		o.left["targets"+body[0].ControllerID] = true
		return 201, []any{}
	case what == "POST softwaremodules" && len(path) == 1:
		o.modules = append(o.modules, nil)
		o.left[fmt.Sprint("softwaremodules", len(o.modules))] = true
		return 201, numbered(len(o.modules))
	case what == "POST softwaremodules":
		n, _ := strconv.Atoi(path[1])
		file, head, err := r.FormFile("file")
		if err != nil {
			return 400, nil
		}
		text, _ := io.ReadAll(file)
		o.modules[n-1] = append(o.modules[n-1], dditest.File{Name: head.Filename, Body: text})
		return 201, map[string]int{"id": 1}
	case what == "POST distributionsets":
		var body []struct {
			Name, Version string
			Modules       []struct{ ID int }
		}
		read(&body)
		n := o.AddSet(dditest.Set{Name: body[0].Name, Version: body[0].Version, Modules: []dditest.Module{
			{Type: "application", Artifacts: o.modules[body[0].Modules[0].ID-1]},
		}})
		o.left[fmt.Sprint("distributionsets", n)] = true
		return 201, numbered(n)
	case what == "POST targets" && path[2] == "assignedDS":
		var body struct {
			ID                int
			Type              dditest.Handling
			MaintenanceWindow map[string]string
		}
		read(&body)
		action := o.Assign(path[1], body.ID, body.Type)
		if body.MaintenanceWindow != nil {
			o.Window(action, false)
		}
		n, _ := strconv.Atoi(action)
		return 200, map[string]any{"assigned": 1, "assignedActions": numbered(n)}
	case what == "DELETE targets" && path[2] == "actions":
		do, no := o.Cancel, 405
		if r.URL.Query().Get("force") == "true" {
			do = o.ForceQuit
		}
		if !do(path[3]) {
			return no, map[string]string{"errorCode": "hawkbit.server.error.action.notForceQuitable"}
		}
		return 204, nil
	case what == "GET targets" && path[2] == "actions":
		v := o.Action(path[3])
		return 200, map[string]any{"status": v.State, "detailStatus": nil, "lastStatusCode": v.Code}
	}
	return 404, nil
}
