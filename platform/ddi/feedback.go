package ddi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// State is how far an action is: an execution and a result, in hawkBit's words. There is
// no word for an end without a result, which hawkBit takes for a success.
type State string

// The states. hawkBit shows the first six to its people, and changes nothing for them;
// only Downloaded ends an action that is download-only.
const (
	Proceeding  State = "proceeding"
	Downloading State = "download"
	Downloaded  State = "downloaded"
	Scheduled   State = "scheduled"
	Resumed     State = "resumed"
	Rejected    State = "rejected"
	// Succeeded and Failed end the action for good.
	Succeeded State = "success"
	Failed    State = "failure"
)

// End reports whether nothing can be told of the action after it.
func (s State) End() bool { return s == Succeeded || s == Failed }

// Feedback is what became of an action so far.
type Feedback struct {
	Action string
	State  State
	// Details are for the server's people: see details for what is left of them.
	Details []string
	// Code is shown with them; 0 is none.
	Code int
	// Time becomes the entry's. Leave it zero as long as the clock is not known to be right.
	Time time.Time
}

// entry is an entry as the server reads it.
type entry struct {
	Timestamp int64  `json:"timestamp,omitempty"`
	Status    status `json:"status"`
}

type status struct {
	Execution string   `json:"execution"`
	Result    result   `json:"result"`
	Code      int      `json:"code,omitempty"`
	Details   []string `json:"details,omitempty"`
}

type result struct {
	Finished string `json:"finished"`
}

func (s State) status() status {
	if s.End() {
		return status{Execution: "closed", Result: result{string(s)}}
	}
	return status{Execution: string(s), Result: result{"none"}}
}

// Feedback tells how far an action is. Judge says what becomes of it. Told again after a
// lost answer, an end is Gone; that is delivered. hawkBit counts entries, a thousand for
// an action: an end is always taken.
//
// What the server refuses is told once more with plain details, and then without any. That
// it does not know the action counts only when it knows this device.
func (c *Client) Feedback(ctx context.Context, f Feedback) error {
	if f.State == "closed" || f.State == "canceled" {
		return &Error{Kind: Refused, What: "tell how action " + f.Action + " is: the server takes " + string(f.State) + " for something else"}
	}
	e := entry{Status: f.State.status()}
	e.Status.Code = f.Code
	if !f.Time.IsZero() {
		e.Timestamp = f.Time.UnixMilli()
	}
	return c.tell(ctx, "tell how action "+f.Action+" is", "deploymentBase", f.Action, f.Details, f.State.End(), e.with)
}

// with is the entry with these details.
func (e entry) with(details []string) any {
	e.Status.Details = details
	return e
}

// Cancelled tells that the action of a poll's Cancel has been stopped: closed, not
// "canceled", which hawkBit takes and does nothing for.
func (c *Client) Cancelled(ctx context.Context, action string, details ...string) error {
	e := entry{Status: Succeeded.status()}
	return c.tell(ctx, "tell that action "+action+" is cancelled", "cancelAction", action, details, true, e.with)
}

// Uncancelled tells why the action of a poll's Cancel runs on. It is offered again; its
// end, or a newer request to cancel it, comes later.
func (c *Client) Uncancelled(ctx context.Context, action string, why ...string) error {
	e := entry{Status: Rejected.status()}
	return c.tell(ctx, "tell that action "+action+" cannot be cancelled", "cancelAction", action, why, true, e.with)
}

// Confirm agrees to the action of a poll's Confirmation: the next poll offers it.
func (c *Client) Confirm(ctx context.Context, action string, details ...string) error {
	return c.confirm(ctx, "confirm action "+action, action, "confirmed", details)
}

// Deny does not agree, for now: each poll asks for it again.
func (c *Client) Deny(ctx context.Context, action string, why ...string) error {
	return c.confirm(ctx, "deny action "+action, action, "denied", why)
}

func (c *Client) confirm(ctx context.Context, doing, action, word string, details []string) error {
	return c.tell(ctx, doing, "confirmationBase", action, details, true, func(details []string) any {
		return struct {
			Confirmation string   `json:"confirmation"`
			Details      []string `json:"details,omitempty"`
		}{word, details}
	})
}

// tell posts what body makes of the details. must says that it is worth less details
// when there is no room for them.
func (c *Client) tell(ctx context.Context, doing, kind, action string, all []string, must bool, body func([]string) any) error {
	if !isName(action) {
		return &Error{Kind: Refused, What: doing + ": it is not the name of an action"}
	}
	most := details(all)
	tries := [][]string{most}
	if less := plain(most); !slices.Equal(less, most) {
		tries = append(tries, less)
	}
	if len(most) > 0 {
		tries = append(tries, nil)
	}
	var e *Error
	for _, some := range tries {
		_, err := c.ask(ctx, question{doing: doing, method: http.MethodPost, rest: kind + "/" + action + "/feedback", body: body(some)})
		switch {
		case !errors.As(err, &e):
			return err
		case e.Kind == Unknown:
			return c.unknown(ctx, e)
		case e.Kind != Refused && (e.Kind != Quota || !must):
			return e
		}
	}
	return e
}

// unknown is the error for an action that is not known: an outage when this device is
// not known either, because of a URL that is wrong, or another server in its place.
func (c *Client) unknown(ctx context.Context, e *Error) error {
	_, err := c.ask(ctx, question{doing: "look whether the server knows this device", method: http.MethodGet})
	var out *Error
	if !errors.As(err, &out) {
		return e
	}
	kind := Outage
	if out.Kind == Denied {
		kind = Denied
	}
	return &Error{Kind: kind, What: e.What + "; " + out.What, Status: out.Status, Wait: out.Wait, Err: out.Err}
}
