package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
)

// Status tells where the device stands.
func (c *Client) Status(ctx context.Context) (httpapi.Status, error) {
	var s httpapi.Status
	err := c.do(ctx, http.MethodGet, "/api/v2/status", nil, &s)
	return s, err
}

// Next waits until the journal has a record beyond seq, at most for timeout, and
// returns the status at that moment.
func (c *Client) Next(ctx context.Context, seq uint64, timeout time.Duration) (httpapi.Status, error) {
	path := "/api/v2/status?wait=" + strconv.FormatUint(seq, 10) + "&timeout=" + min(timeout, httpapi.MaxWait).String()
	var s httpapi.Status
	err := c.do(ctx, http.MethodGet, path, nil, &s)
	return s, err
}

// Watch calls show with each status until it returns false: at once, at each
// change, and at least every tick, for the progress between changes.
func (c *Client) Watch(ctx context.Context, tick time.Duration, show func(httpapi.Status) bool) error {
	s, err := c.Status(ctx)
	for err == nil && show(s) {
		s, err = c.Next(ctx, s.Journal.Seq, tick)
	}
	return err
}

// Ended returns the part of a status that is about an update, and whether that
// update is over. It returns nil when the status is about other updates only:
// ask Update then.
func Ended(s engine.Status, id string) (u *engine.UpdateStatus, over bool) {
	switch {
	case s.Update != nil && s.Update.ID == id:
		return s.Update, engine.Terminal(s.Update.State)
	case s.Last != nil && s.Last.ID == id:
		return s.Last, true
	}
	return nil, true
}
