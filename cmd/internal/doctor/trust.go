package doctor

import "context"

// trust tells whose releases this device installs.
func (c *checkup) trust(context.Context) {
	now, put := c.Trust.Standing(), say("put the publisher's public key into %s", c.Config.Paths.Keys)
	switch {
	case now.Err != nil:
		c.fail(say("repair or remove what is wrong there; until then every bundle is refused"), "the keys cannot be used: %v", now.Err)
		return
	case now.Bereft:
		c.fail(say("put the publisher's public key back into %s; only where its releases are not wanted any more: tope-updater trust forget --why REASON", c.Config.Paths.Keys), "trusts %s", now.Text)
	case now.NoKeys && !now.Anybody:
		c.fail(put, "trusts %s", now.Text)
	case now.NoKeys:
		c.warn(put, "trusts %s", now.Text)
	case now.Anybody:
		c.warn(say("remove allow_unsigned from [trust] when the migration is over"), "trusts %s", now.Text)
	default:
		c.pass("trusts %s", now.Text)
	}
	if c.Config.Device.Product == "" && !now.Anybody {
		c.warn(say("set product under [device] in the configuration"), "takes releases for any product")
	}
}
