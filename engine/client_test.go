package engine_test

import (
	"fmt"
	"maps"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
)

// client is a client of the legacy API, with what it was told through cuts and restarts.
// It stops at the first end that it sees, so an end has to be one.
type client struct {
	most  map[string]int // progress, by update and stage
	ended map[string]legacy.Stage
	wrong string // the promise that was broken
}

func newClient() *client {
	return &client{most: map[string]int{}, ended: map[string]legacy.Stage{}}
}

func (c *client) clone() *client {
	return &client{most: maps.Clone(c.most), ended: maps.Clone(c.ended), wrong: c.wrong}
}

func (c *client) hear(st engine.Status) {
	u := st.Update
	if u == nil {
		u = st.Last
	}
	if u == nil {
		return
	}
	v := legacy.Of(st)
	at := u.ID + " " + string(v.Stage)
	if v.Progress < c.most[at] {
		c.wrong = fmt.Sprintf("progress of %s went back from %d to %d in %s", at, c.most[at], v.Progress, u.State)
	}
	c.most[at] = v.Progress
	if was := c.ended[u.ID]; was != "" && v.Stage != was && v.Stage != legacy.Idle {
		c.wrong = fmt.Sprintf("update %s was told to be %s, and is %s in %s", u.ID, was, v.Stage, u.State)
	}
	if v.Stage == legacy.Failed && !engine.Terminal(u.State) {
		c.wrong = fmt.Sprintf("update %s is told to have failed in %s, and goes on", u.ID, u.State)
	}
	if v.Stage == legacy.Failed || v.Stage == legacy.Success {
		c.ended[u.ID] = v.Stage
	}
}
