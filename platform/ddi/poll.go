package ddi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Answer is what a poll has found.
type Answer struct {
	// Sleep is how long the server wants to be left alone; 0 as long as it has not said.
	Sleep time.Duration
	// Unchanged: everything else is as the last time.
	Unchanged bool
	// Deployment is offered, Confirmation waits for a word before it is, and Cancel is to
	// be stopped. hawkBit shows one of them. Each is nil for nothing.
	Deployment, Confirmation, Cancel *Link
	// Attributes: the server wants to know what this device is. It says so until it is told.
	Attributes bool
}

// poll is what an error calls the question of what there is.
const poll = "poll"

// Poll asks what there is for this device. An answer that is as it was costs the server's
// 304, which says nothing: then it is the last one, with Unchanged. Asking changes nothing
// but the time at which the server has seen this device. Errors are of type *Error; an
// answer that is not understood is not taken for the last one.
func (c *Client) Poll(ctx context.Context) (Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := question{doing: poll, method: http.MethodGet, tag: c.tag}
	r, err := c.ask(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	if r.unchanged {
		c.last.Unchanged = true
		return c.last, nil
	}
	a, err := c.read(r.body)
	if err != nil {
		c.tag = ""
		return Answer{}, err
	}
	if a.Sleep == 0 {
		a.Sleep = c.last.Sleep
	}
	c.tag, c.last = r.tag, a
	return a, nil
}

func (c *Client) read(body []byte) (Answer, error) {
	var said struct {
		Config struct {
			Polling struct {
				Sleep string `json:"sleep"`
			} `json:"polling"`
		} `json:"config"`
		Links struct {
			Deployment   *href `json:"deploymentBase"`
			Confirmation *href `json:"confirmationBase"`
			Cancel       *href `json:"cancelAction"`
			Attributes   *href `json:"configData"`
		} `json:"_links"`
	}
	if err := json.Unmarshal(body, &said); err != nil || !strings.HasPrefix(string(body), "{") {
		return Answer{}, c.strange(poll, "it is not the resource of a device")
	}
	a := Answer{Sleep: sleep(said.Config.Polling.Sleep), Attributes: said.Links.Attributes != nil}
	if a.Attributes { // nothing of it is used, but a server that calls itself otherwise is told of early
		if _, e := c.followed(said.Links.Attributes.Href, false); e != nil {
			return Answer{}, e
		}
	}
	for _, l := range []struct {
		kind string
		href *href
		link **Link
	}{
		{"deploymentBase", said.Links.Deployment, &a.Deployment},
		{"confirmationBase", said.Links.Confirmation, &a.Confirmation},
		{"cancelAction", said.Links.Cancel, &a.Cancel},
	} {
		if l.href == nil {
			continue
		}
		link, e := c.action(l.kind, l.href.Href)
		if e != nil {
			return Answer{}, e
		}
		*l.link = &link
	}
	return a, nil
}

// strange is the error for an answer that is JSON, and makes no sense.
func (c *Client) strange(doing, why string) *Error {
	return &Error{Kind: Outage, What: doing + ": the answer of " + c.String() + " is not understood: " + why}
}

// sleep reads HH:MM:SS, which may have more than 24 hours; 0 for anything else.
func sleep(text string) time.Duration {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return 0
	}
	var total time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil || i > 0 && n > 59 {
			return 0
		}
		total += time.Duration(n) * unit
	}
	return total
}
