package config

import (
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/identity"
	"github.com/tope/updater/platform/source"
)

const (
	// maxAttributes and maxAttribute (bytes of a name and of a value) leave room for the
	// device's own: hawkBit takes 100.
	maxAttributes, maxAttribute = 50, 128
	// maxChannelName is that of a channel's file.
	maxChannelName = 100
	// maxWindows is that of package fleet.
	maxWindows = 100
)

func (c *Config) validateFleet(all report) {
	add := func(key, format string, args ...any) { all("fleet."+key, format, args...) }
	f := c.Fleet
	oneOf(add, "policy", f.Policy, PolicyNone, PolicyCheck, PolicyDownload, PolicyInstall)
	oneOf(add, "auth", f.Auth, authTarget, authGateway, authMTLS, authNone)
	oneOf(add, "veto_failure", f.VetoFailure, VetoBusy, VetoFree)
	oneOf(add, "metered", f.Metered, MeteredAllow, MeteredWait)
	if f.Channel != "" && f.HawkBit != "" {
		add("channel", "fleet.channel and fleet.hawkbit are both set: a device asks one source; leave one out")
	}
	f.validateChannel(add)
	c.validateHawkBit(add)
	if f.ID != "" {
		if err := identity.ValidID(f.ID); err != nil {
			add("id", "%w", err)
		}
	}
	f.validateWhen(add)
	for _, b := range []struct {
		key          string
		d, low, high time.Duration
		text         string
	}{
		{"veto_timeout", time.Duration(f.VetoTimeout), 100 * time.Millisecond, 10 * time.Minute, "100ms and 10m"},
		{"max_defer", time.Duration(f.MaxDefer), time.Minute, 365 * 24 * time.Hour, "1m and 8760h"},
		{"probation", time.Duration(f.Probation), 0, 30 * 24 * time.Hour, "0 (none) and 720h"},
	} {
		if b.d < b.low || b.d > b.high {
			add(b.key, "%s is not between %s", b.d, b.text)
		}
	}
	if len(f.Veto) > 0 {
		// The rule for commands of health checks.
		if err := (health.Check{Service: "veto", Kind: health.Command, Command: f.Veto}).Validate(health.Device); err != nil {
			add("veto", "%w", err)
		}
	}
	f.validateAttributes(add)
}

func oneOf(add report, key, value string, words ...string) {
	if !slices.Contains(words, value) {
		add(key, "%q is not one of %s", value, strings.Join(words, ", "))
	}
}

// validateChannel takes http, too: nobody on the way can change what is signed. With files
// of secrets for it there is fetch.Settings, which wants https then.
func (f Fleet) validateChannel(add report) {
	if f.Channel == "" {
		const unset = "is for the rollouts of a channel, and fleet.channel is not set"
		if f.Early {
			add("early", unset)
		}
		if f.Late {
			add("late", unset)
		}
		return
	}
	if f.Early && f.Late {
		add("late", "contradicts fleet.early")
	}
	u := web(f.Channel)
	if u == nil {
		add("channel", "%q is not an http or https URL without a user and a query; write it like https://HOST/stable.channel, and what the server wants to know into a [[download.server]]", source.New(f.Channel))
		return
	}
	name, ok := strings.CutSuffix(path.Base(u.Path), channelExt)
	if !ok || name == "" || len(name) > maxChannelName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		add("channel", "%q does not end in NAME.channel, where NAME has up to %d small letters, digits and -: it leads to what \"tope-bundle channel sign\" has written", source.New(f.Channel), maxChannelName)
	}
}

// validateHawkBit says what is wrong in words of the configuration; ddi.New takes what it
// lets pass.
func (c *Config) validateHawkBit(add report) {
	f, usual := c.Fleet, Default().Fleet
	if f.HawkBit == "" {
		for _, k := range []struct {
			key string
			set bool
		}{
			{"tenant", f.Tenant != usual.Tenant},
			{"auth", f.Auth != usual.Auth},
			{"token_file", f.TokenFile != ""},
			{"links", len(f.Links) > 0},
			{"mirrors", len(f.Mirrors) > 0},
			{"attributes", len(f.Attributes) > 0},
		} {
			if k.set {
				add(k.key, "is for a hawkBit server, and fleet.hawkbit is not set")
			}
		}
		return
	}
	if identity.ValidID(f.Tenant) != nil {
		add("tenant", "%.80q is not 1 to 128 letters, digits and the marks . _ : @ -", f.Tenant)
	}
	for _, o := range []struct {
		key  string
		urls []string
	}{{"links", f.Links}, {"mirrors", f.Mirrors}} {
		for _, text := range o.urls {
			if u := web(text); u == nil || u.Path != "" && u.Path != "/" {
				add(o.key, "%q is not a server alone; write it like https://HOST or https://HOST:PORT, without a path", source.New(text))
			}
		}
	}
	if f.TokenFile != "" {
		switch {
		case f.Auth == authMTLS || f.Auth == authNone:
			add("token_file", "fleet.auth is %q, which has no token; leave one of them out", f.Auth)
		case !path.IsAbs(f.TokenFile) || path.Clean(f.TokenFile) != f.TokenFile:
			add("token_file", "%q is not a clean absolute path of a file", f.TokenFile)
		}
	}
	u := web(f.HawkBit)
	if u == nil {
		add("hawkbit", "%q is not an https URL without a user and a query; write it like https://HOST, without the tenant", source.New(f.HawkBit))
		return
	}
	if strings.Contains(u.Path+"/", "/controller/") {
		add("hawkbit", "%q has more than the server: write it like https://HOST, without the tenant and controller/v1", source.New(f.HawkBit))
		return
	}
	c.validateAuth(add, u)
}

// validateAuth judges Auth for the server.
func (c *Config) validateAuth(add report, u *url.URL) {
	f, origin := c.Fleet, fetch.Origin(u)
	plain := u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0"))
	switch {
	case f.NeedsToken() && plain:
		add("hawkbit", "%s is not https, so that anybody on the way could read the token", origin)
	case f.Auth == authMTLS && u.Scheme != "https":
		add("hawkbit", "%s is not https, where there is no place for a certificate", origin)
	case f.Auth == authMTLS && !slices.ContainsFunc(c.Download.Server, func(s fetch.Server) bool {
		at := web(s.URL)
		return at != nil && fetch.Origin(at) == origin && s.ClientCert != ""
	}):
		add("auth", "%q takes this device's certificate: add a [[download.server]] with url = %q, client_cert and client_key", authMTLS, origin)
	}
	for i, s := range c.Download.Server {
		if at := web(s.URL); f.NeedsToken() && at != nil && fetch.Origin(at) == origin && (has(s.Headers, "Authorization") || has(s.HeaderFiles, "Authorization")) {
			add("auth", "with %q this device's token goes to %s, and [[download.server]] table %d has another Authorization for it; leave one of them out", f.Auth, origin, i+1)
		}
	}
}

// has reports whether a header is among headers.
func has[V any](headers map[string]V, name string) bool {
	for n := range headers {
		if http.CanonicalHeaderKey(n) == name {
			return true
		}
	}
	return false
}

// web is an http or https URL with a host, and without a user, a query and a fragment; nil
// when the text is something else.
func web(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil
	}
	return u
}

// validateWhen judges windows and time zone. Whether the device has the zone is seen when
// it is used.
func (f Fleet) validateWhen(add report) {
	if n := len(f.Window); n > maxWindows {
		add("window", "there are %d, and %d are allowed", n, maxWindows)
	}
	for i, w := range f.Window {
		in := func(key, format string, args ...any) {
			add("window."+key, "in table %d, "+format, append([]any{i + 1}, args...)...)
		}
		for _, day := range w.Days {
			if days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}; !slices.Contains(days, day) {
				in("days", "%q is not one of %s", day, strings.Join(days, ", "))
			}
		}
		if !clockTime(w.From) {
			in("from", "%q is not a time from 00:00 to 23:59; write it like \"22:00\"", w.From)
		}
		if !clockTime(w.To) && w.To != "24:00" {
			in("to", "%q is not a time from 00:00 to 24:00; write it like \"05:00\"", w.To)
		}
	}
	z := f.TimeZone
	if z == "" || len(z) > 64 || z[0] == '/' || strings.ContainsFunc(z, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-", r)
	}) {
		add("time_zone", "%.80q is not \"UTC\", \"local\", or the name of a time zone like \"Europe/Berlin\"", z)
	}
}

// clockTime reports whether s is HH:MM of a day.
func clockTime(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == len("15:04")
}

func (f Fleet) validateAttributes(add report) {
	if n := len(f.Attributes); n > maxAttributes {
		add("attributes", "there are %d, and %d are allowed", n, maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
		switch value := f.Attributes[name]; {
		case identity.ValidID(name) != nil:
			add("attributes", "%.80q is not a name of 1 to %d letters, digits and the marks . _ : @ -", name, maxAttribute)
		case value == "":
			add("attributes", "the value of %q is empty", name)
		case len(value) > maxAttribute || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("<>&", r) }):
			add("attributes", "the value of %q is not up to %d bytes of printable text without < > &", name, maxAttribute)
		}
	}
}
