package config

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/tope/updater/platform/ddi"
)

// Fleet says where this device asks for releases by itself, and what of it may happen
// when. Without a source (Channel or HawkBit) it asks nobody.
type Fleet struct {
	// Policy is how far the device goes by itself: one of the Policy constants.
	Policy string `toml:"policy"`
	// Channel is the URL of a signed channel: https://HOST/PATH/NAME.channel. HawkBit is
	// that of a server that speaks DDI, without the tenant. At most one is set.
	Channel string `toml:"channel"`
	HawkBit string `toml:"hawkbit"`
	// Tenant is the server's, and Auth how this device proves there who it is; see DDI.
	Tenant string `toml:"tenant"`
	Auth   string `toml:"auth"`
	// TokenFile has the token of Auth; empty for the one that systemd hands over. See
	// identity.Token.
	TokenFile string `toml:"token_file"`
	// Links are origins by which the server calls itself in its links, and Mirrors those
	// that may have the bundles instead of it.
	Links   []string `toml:"links"`
	Mirrors []string `toml:"mirrors"`
	// ID is the device's own; empty for the one that is made of its machine id. See
	// identity.Device.
	ID string `toml:"id"`
	// Early makes the device one of the first in each rollout of a channel, Late one of
	// the last. Not both are set.
	Early bool `toml:"early"`
	Late  bool `toml:"late"`
	// Poll is how often the source is asked; 0 for the source's own word, or Polls.
	Poll Interval `toml:"poll"`
	// Window are the times at which updates may be installed; none for all times.
	Window []FleetWindow `toml:"window"`
	// TimeZone is that of Window: "UTC", "local", or a name like "Europe/Berlin", which
	// the device's zoneinfo may not have.
	TimeZone string `toml:"time_zone"`
	// Veto is a command that is asked before an update is installed; empty for none. When
	// it cannot be asked, or not within VetoTimeout, VetoFailure says what that counts as:
	// VetoBusy or VetoFree.
	Veto        []string `toml:"veto"`
	VetoTimeout Duration `toml:"veto_timeout"`
	VetoFailure string   `toml:"veto_failure"`
	// MaxDefer is how long Window and Veto together may put off one offer.
	MaxDefer Duration `toml:"max_defer"`
	// Metered says what becomes of downloads on a metered network: MeteredAllow or
	// MeteredWait.
	Metered string `toml:"metered"`
	// DataBudget bounds what is downloaded for the fleet in a day; 0 for no bound.
	DataBudget Size `toml:"data_budget"`
	// Probation is how long a version of the fleet is watched after its commit; 0 for not
	// at all.
	Probation Duration `toml:"probation"`
	// Attributes are told to a server in addition to the device's own.
	Attributes map[string]string `toml:"attributes"`
}

// FleetWindow is a time in which updates may be installed, on each of its days. Shape and
// days are valid; times are those of Fleet.TimeZone.
type FleetWindow struct {
	// Days are "mon" to "sun"; none for every day.
	Days []string `toml:"days"`
	// From and To are HH:MM. To may be "24:00". When it is not behind From, it is on the
	// next day.
	From string `toml:"from"`
	To   string `toml:"to"`
}

// What Fleet.Policy can be: each goes further than the one before.
const (
	// PolicyNone asks nobody. PolicyCheck asks, and tells what is offered.
	PolicyNone  = "none"
	PolicyCheck = "check"
	// PolicyDownload downloads it, and somebody has to install it. PolicyInstall does.
	PolicyDownload = "download"
	PolicyInstall  = "install"
)

// What Fleet.Auth can be.
const (
	authTarget  = "target"
	authGateway = "gateway"
	authMTLS    = "mtls"
	authNone    = "none"
)

// What Fleet.VetoFailure can be.
const (
	VetoBusy = "busy"
	VetoFree = "free"
)

// What Fleet.Metered can be.
const (
	MeteredAllow = "allow"
	MeteredWait  = "wait"
)

// Polls is how often a source is asked when neither it nor the configuration says so.
const Polls = 6 * time.Hour

// Asks reports whether the device asks for releases by itself.
func (f Fleet) Asks() bool {
	return f.Policy != PolicyNone && (f.Channel != "" || f.HawkBit != "")
}

// ChannelName is the name of Channel, which its file has to bear.
func (f Fleet) ChannelName() string {
	u, err := url.Parse(f.Channel)
	if err != nil || f.Channel == "" {
		return ""
	}
	return strings.TrimSuffix(path.Base(u.Path), channelExt)
}

// channelExt is how the name of a channel's file ends.
const channelExt = ".channel"

// NeedsToken reports whether the server wants a token.
func (f Fleet) NeedsToken() bool {
	return f.HawkBit != "" && (f.Auth == authTarget || f.Auth == authGateway)
}

// DDI is the server of HawkBit, and how to speak to it. The device's id, the token and
// whoever makes the requests are the caller's to add. A certificate comes from
// Download.Reach.
func (f Fleet) DDI() ddi.Config {
	c := ddi.Config{URL: f.HawkBit, Tenant: f.Tenant, Aliases: f.Links, Mirrors: f.Mirrors}
	switch f.Auth {
	case authTarget:
		c.Auth = ddi.TargetToken
	case authGateway:
		c.Auth = ddi.GatewayToken
	}
	return c
}

// Interval is a time between two polls, written as "6h"; "" is 0, and leaves it to the
// source.
type Interval time.Duration

// MarshalText writes what UnmarshalText reads.
func (i Interval) MarshalText() ([]byte, error) {
	if i == 0 {
		return nil, nil
	}
	return Duration(i).MarshalText()
}

// UnmarshalText reads an Interval.
func (i *Interval) UnmarshalText(text []byte) error {
	*i = 0
	if len(text) == 0 {
		return nil
	}
	var d Duration
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	if d < Duration(time.Minute) || d > Duration(7*24*time.Hour) {
		return fmt.Errorf(`%.40q is not between 1m and 168h; "" leaves it to the source`, text)
	}
	*i = Interval(d)
	return nil
}
