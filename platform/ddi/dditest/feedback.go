package dditest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	maxMessages   = 50
	maxAttributes = 100
	maxAttribute  = 128
)

// said is what a device tells of an action. hawkBit ignores what it does not know.
type said struct {
	Timestamp int64 `json:"timestamp"`
	Status    *struct {
		Execution string `json:"execution"`
		Result    *struct {
			Finished string `json:"finished"`
		} `json:"result"`
		Code    int      `json:"code"`
		Details []string `json:"details"`
	} `json:"status"`
}

func notReadable() answer {
	return refusal(http.StatusBadRequest, "rest.body.notReadable", "org.eclipse.hawkbit.rest.exception.MessageNotReadableException",
		"The given request body is not well formed")
}

func quota(n int, what, of string, most int) answer {
	return refusal(http.StatusTooManyRequests, "quota.tooManyEntries", "org.eclipse.hawkbit.repository.exception.AssignmentQuotaExceededException",
		fmt.Sprintf("Quota exceeded: Cannot assign %d more %s entities to %s. The maximum is %d.", n, what, of, most))
}

// read is what was said; nil when it cannot be read.
func read(body []byte) *said {
	var v said
	executions := []string{"closed", "proceeding", "canceled", "scheduled", "rejected", "resumed", "downloaded", "download"}
	if json.Unmarshal(body, &v) != nil || v.Status == nil || v.Status.Result == nil ||
		!slices.Contains(executions, v.Status.Execution) || !slices.Contains([]string{"success", "failure", "none"}, v.Status.Result.Finished) {
		return nil
	}
	return &v
}

// html is stricter than what was tried, which is <b>: a text that a browser could take
// for a tag or an entity.
func html() *regexp.Regexp { return regexp.MustCompile(`<|&[#A-Za-z]|[\x00-\x08]`) }

// judge is why an entry is not taken; false when it is. An end is always taken.
func (v *said) judge(a *action) (answer, bool) {
	details := v.Status.Details
	switch {
	case len(details) > maxMessages:
		return quota(len(details), "Message", "ActionStatus '<new>'", maxMessages), true
	case slices.ContainsFunc(details, html().MatchString):
		return refusal(http.StatusBadRequest, "repo.constraintViolation", "jakarta.validation.ConstraintViolationException",
			"addUpdateActionStatus.create.messages[].<iterable element> Invalid characters in string."), true
	case len(a.entries) >= maxEntries && v.Status.Execution != "closed":
		return quota(1, "ActionStatus", "Action '"+strconv.Itoa(a.id)+"'", maxEntries), true
	}
	return answer{}, false
}

// write makes an entry of what was said.
func (v *said) write(a *action, state, instead string) {
	e := Entry{State: state, Messages: slices.Clone(v.Status.Details), Time: v.Timestamp, Code: v.Status.Code}
	if v.Status.Code != 0 {
		e.Messages = append(e.Messages, "Device reported status code: "+strconv.Itoa(v.Status.Code))
		a.code = v.Status.Code
	}
	if len(e.Messages) == 0 {
		e.Messages = []string{"Update Server: " + instead}
	}
	a.entries = append(a.entries, e)
}

func (s *Server) feedback(_ *http.Request, d *target, id string, body []byte) answer {
	v := read(body)
	if v == nil {
		return notReadable()
	}
	a := s.find(d, id)
	switch {
	case a == nil || a.state == Waiting:
		return empty(http.StatusNotFound)
	case !a.active():
		return empty(http.StatusGone)
	}
	if no, refused := v.judge(a); refused {
		return no
	}
	switch v.Status.Execution {
	case "closed":
		if v.Status.Result.Finished == "failure" {
			v.write(a, "error", "Target reported CLOSED with ERROR!")
			a.state = Failed
			break
		}
		// Without a result it counts as a success.
		v.write(a, "finished", "Target reported CLOSED with OK!")
		a.state, d.installedSet, d.wanted = Finished, a.set, true
	case "downloaded":
		v.write(a, "downloaded", "Target confirmed download finished.")
		if a.handling == DownloadOnly {
			a.state, d.installedSet, d.wanted = Fetched, a.set, true
		}
	case "download":
		v.write(a, "download", "Target confirmed download start.")
	case "rejected":
		v.write(a, "warning", "Target REJECTED update.")
	case "canceled":
		v.write(a, "warning", "Target reported CANCELED.") // not tried; nothing is taken for an end
	case "proceeding":
		v.write(a, "running", "Target reported PROCEEDING.")
	case "scheduled":
		v.write(a, "running", "Target reported SCHEDULED.")
	default:
		v.write(a, "running", "Target reported RESUMED.")
	}
	return empty(http.StatusOK)
}

// cancelFeedback ends an action for "closed" only. "canceled" is taken, and does nothing.
func (s *Server) cancelFeedback(_ *http.Request, d *target, id string, body []byte) answer {
	v := read(body)
	if v == nil {
		return notReadable()
	}
	a := s.find(d, id)
	switch {
	case a == nil:
		return empty(http.StatusNotFound)
	case a.state == Canceled:
		return empty(http.StatusOK)
	case a.state != Canceling: // not tried
		return empty(http.StatusGone)
	}
	if no, refused := v.judge(a); refused {
		return no
	}
	switch {
	case v.Status.Execution == "closed" && v.Status.Result.Finished != "failure":
		v.write(a, "canceled", "Target confirmed that it is cancelled.")
		a.state = Canceled
	case v.Status.Execution == "rejected":
		v.write(a, "cancel_rejected", "Target REJECTED the cancellation.")
		a.state = Running
		a.row++
	default:
		v.write(a, "running", "Target reported on the cancellation.")
	}
	return empty(http.StatusOK)
}

func (s *Server) confirm(_ *http.Request, d *target, id string, body []byte) answer {
	var v struct {
		Confirmation string   `json:"confirmation"`
		Details      []string `json:"details"`
	}
	if json.Unmarshal(body, &v) != nil || v.Confirmation != "confirmed" && v.Confirmation != "denied" {
		return notReadable()
	}
	a := s.find(d, id)
	switch {
	case a == nil:
		return empty(http.StatusNotFound)
	case a.state != Waiting: // not tried
		return empty(http.StatusGone)
	}
	a.row++
	a.log("wait_for_confirmation", append([]string{v.Confirmation}, v.Details...)...)
	if v.Confirmation == "confirmed" {
		a.state = Running
	}
	return empty(http.StatusOK)
}

func (s *Server) attributes(_ *http.Request, d *target, _ string, body []byte) answer {
	var v struct {
		Mode string            `json:"mode"`
		Data map[string]string `json:"data"`
	}
	if json.Unmarshal(body, &v) != nil || v.Data == nil || !slices.Contains([]string{"", "merge", "replace", "remove"}, v.Mode) {
		return notReadable()
	}
	for name, value := range v.Data {
		if utf8.RuneCountInString(name) > maxAttribute || utf8.RuneCountInString(value) > maxAttribute {
			return refusal(http.StatusBadRequest, "repo.invalidTargetAttributes",
				"org.eclipse.hawkbit.repository.exception.InvalidTargetAttributeException", "The given target attributes are invalid")
		}
	}
	merged := map[string]string{}
	if v.Mode != "replace" {
		for name, value := range d.attributes {
			merged[name] = value
		}
	}
	for name, value := range v.Data {
		if merged[name] = value; v.Mode == "remove" {
			delete(merged, name)
		}
	}
	if len(merged) > maxAttributes {
		return quota(len(v.Data), "Attribute", "Target '"+d.id+"'", maxAttributes)
	}
	d.attributes, d.wanted = merged, false
	return empty(http.StatusOK)
}
