package dditest

import (
	"crypto/md5"  //nolint:gosec // as hawkBit
	"crypto/sha1" //nolint:gosec // as hawkBit
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
)

type href struct {
	Href string `json:"href"`
}

// links are in hawkBit's order.
type links struct {
	Deployment   *href `json:"deploymentBase,omitempty"`
	Confirmation *href `json:"confirmationBase,omitempty"`
	Cancel       *href `json:"cancelAction,omitempty"`
	Installed    *href `json:"installedBase,omitempty"`
	Attributes   *href `json:"configData,omitempty"`
}

// to is a link to something of a device.
func (s *Server) to(r *http.Request, d *target, format string, args ...any) *href {
	start := s.switches.Links
	if start == "" {
		start = "http://" + r.Host
	}
	return &href{start + s.switches.Prefix + "/" + s.switches.Tenant + "/controller/v1/" + d.id + "/" + fmt.Sprintf(format, args...)}
}

// row is the number that a link has, which changes with the action's row.
func (a *action) rowNumber() int { return 400_000_000 + a.id*100_000 + a.row*29 }

// current is the action that a device is to see: its oldest one that is not over.
func (s *Server) current(d *target) *action {
	for _, a := range s.actions {
		if a.target == d && a.active() {
			return a
		}
	}
	return nil
}

func (s *Server) base(r *http.Request, d *target, _ string, _ []byte) answer {
	var l links
	if a := s.current(d); a != nil {
		switch a.state {
		case Running:
			l.Deployment = s.to(r, d, "deploymentBase/%d?c=%d", a.id, a.rowNumber())
		case Waiting:
			l.Confirmation = s.to(r, d, "confirmationBase/%d?c=%d", a.id, a.rowNumber())
		case Canceling:
			l.Cancel = s.to(r, d, "cancelAction/%d", a.id)
		}
	}
	for _, a := range s.actions {
		if a.target == d && a.state == Finished && a.set == d.installedSet {
			l.Installed = s.to(r, d, "installedBase/%d", a.id)
		}
	}
	if d.wanted {
		l.Attributes = s.to(r, d, "configData")
	}
	type polling struct {
		Sleep string `json:"sleep"`
	}
	type config struct {
		Polling polling `json:"polling"`
	}
	said := struct {
		Config config `json:"config"`
		Links  *links `json:"_links,omitempty"`
	}{Config: config{polling{s.switches.Sleep}}}
	if l != (links{}) {
		said.Links = &l
	}
	return resource(r, said)
}

// These are an action as a device sees it, in hawkBit's order.
type (
	actionBody struct {
		ID           string    `json:"id"`
		Deployment   *consists `json:"deployment,omitempty"`
		Confirmation *consists `json:"confirmation,omitempty"`
		History      *history  `json:"actionHistory,omitempty"`
	}
	history struct {
		Status   string   `json:"status"`
		Messages []string `json:"messages"`
	}
	consists struct {
		Download string  `json:"download"`
		Update   string  `json:"update"`
		Window   string  `json:"maintenanceWindow,omitempty"`
		Chunks   []chunk `json:"chunks"`
	}
	chunk struct {
		Part      string     `json:"part"`
		Version   string     `json:"version"`
		Name      string     `json:"name"`
		Artifacts []artifact `json:"artifacts"`
	}
	artifact struct {
		Filename string `json:"filename"`
		Hashes   hashes `json:"hashes"`
		Size     int    `json:"size"`
		Links    struct {
			Download  *href `json:"download,omitempty"`
			MD5       *href `json:"md5sum,omitempty"`
			PlainLink *href `json:"download-http,omitempty"`
			PlainMD5  *href `json:"md5sum-http,omitempty"`
		} `json:"_links"`
	}
	hashes struct {
		SHA1   string `json:"sha1"`
		MD5    string `json:"md5"`
		SHA256 string `json:"sha256"`
	}
)

// part is what DDI calls a type of modules.
func part(kind string) string {
	switch kind {
	case "application":
		return "bApp"
	case "runtime":
		return "jvm"
	}
	return kind
}

// consists is what an action is made of.
func (s *Server) consists(r *http.Request, a *action) *consists {
	c := &consists{Download: "forced", Update: "forced", Window: a.window}
	switch a.handling {
	case Soft:
		c.Download, c.Update = "attempt", "attempt"
	case DownloadOnly:
		c.Update = "skip"
	}
	if a.window == "unavailable" {
		c.Update = "skip"
	}
	set := s.sets[a.set]
	for _, m := range set.Modules {
		k := chunk{Part: part(m.Type), Version: set.Version, Name: set.Name, Artifacts: []artifact{}}
		for _, f := range m.Artifacts {
			one := artifact{Filename: f.Name, Size: len(f.Body), Hashes: hashes{
				fmt.Sprintf("%x", sha1.Sum(f.Body)), fmt.Sprintf("%x", md5.Sum(f.Body)), fmt.Sprintf("%x", sha256.Sum256(f.Body)), //nolint:gosec // as hawkBit
			}}
			file := s.to(r, a.target, "softwaremodules/%d/artifacts/%s", m.number, f.Name)
			if one.Links.Download, one.Links.MD5 = file, (&href{file.Href + ".MD5SUM"}); s.switches.PlainName {
				one.Links.Download, one.Links.MD5, one.Links.PlainLink, one.Links.PlainMD5 = nil, nil, file, one.Links.MD5
			}
			k.Artifacts = append(k.Artifacts, one)
		}
		c.Chunks = append(c.Chunks, k)
	}
	return c
}

// deployment answers for actions that are over, too: only the base says what is offered.
// For one that is being cancelled, or waits to be confirmed, it was not tried.
func (s *Server) deployment(r *http.Request, d *target, id string, _ []byte) answer {
	a := s.find(d, id)
	if a == nil || a.state == Canceling || a.state == Canceled || a.state == Waiting {
		return empty(http.StatusNotFound)
	}
	a.log("retrieved", "Update Server: Target retrieved update action and should start now the download.")
	body := actionBody{ID: id, Deployment: s.consists(r, a)}
	if n, err := strconv.Atoi(r.URL.Query().Get("actionHistory")); err == nil && n > 0 {
		body.History = &history{Status: "RETRIEVED"}
		for i := len(a.entries) - 1; i >= 0 && len(body.History.Messages) < n; i-- {
			body.History.Messages = append(body.History.Messages, a.entries[i].Messages...)
		}
	}
	if !a.retrieved { // the number of the link changes with the first look
		a.retrieved = true
		a.row++
	}
	return resource(r, body)
}

func (s *Server) installed(r *http.Request, d *target, id string, _ []byte) answer {
	a := s.find(d, id)
	if a == nil || a.state != Finished {
		return empty(http.StatusNotFound)
	}
	return resource(r, actionBody{ID: id, Deployment: s.consists(r, a)})
}

func (s *Server) cancel(r *http.Request, d *target, id string, _ []byte) answer {
	a := s.find(d, id)
	if a == nil || a.state != Canceling {
		return empty(http.StatusNotFound)
	}
	type stop struct {
		ID string `json:"stopId"`
	}
	return resource(r, struct {
		ID     string `json:"id"`
		Cancel stop   `json:"cancelAction"`
	}{id, stop{id}})
}

func (s *Server) confirmation(r *http.Request, d *target, id string, _ []byte) answer {
	a := s.find(d, id)
	if a == nil || a.state != Waiting {
		return empty(http.StatusNotFound)
	}
	return resource(r, actionBody{ID: id, Confirmation: s.consists(r, a)})
}

func (s *Server) confirmations(r *http.Request, d *target, _ string, _ []byte) answer {
	type auto struct {
		Active bool  `json:"active"`
		At     int64 `json:"activatedAt"`
	}
	type to struct {
		Activate     *href `json:"activateAutoConfirm"`
		Confirmation *href `json:"confirmationBase,omitempty"`
	}
	said := struct {
		Auto  auto `json:"autoConfirm"`
		Links to   `json:"_links"`
	}{Links: to{Activate: s.to(r, d, "confirmationBase/activateAutoConfirm")}}
	if a := s.current(d); a != nil && a.state == Waiting {
		said.Links.Confirmation = s.to(r, d, "confirmationBase/%d?c=%d", a.id, a.rowNumber())
	}
	return resource(r, said)
}
