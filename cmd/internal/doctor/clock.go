package doctor

import (
	"context"
	"time"
)

// time is needed for https and for the trust window.
func (c *checkup) time(context.Context) {
	now := c.Clock.Now()
	set := say("set the clock, or let an NTP client do it (timedatectl set-ntp true)")
	if c.past != nil {
		if recs, err := c.past.Records(""); err == nil && len(recs) > 0 && recs[len(recs)-1].Time.After(now.Add(time.Minute)) {
			c.warn(set, "the clock says %s, but the journal has a record of %s: one of the two is wrong", now.UTC().Format(time.RFC3339), recs[len(recs)-1].Time.UTC().Format(time.RFC3339))
			return
		}
	}
	if now.Year() < 2025 {
		c.warn(set, "the clock says %s, with which https does not work", now.UTC().Format(time.RFC3339))
		return
	}
	c.pass("it is %s", now.UTC().Format(time.RFC3339))
}
