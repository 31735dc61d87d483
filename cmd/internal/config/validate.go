package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
)

// validate reports every mistake, not the first one only.
func (c *Config) validate() error {
	var problems []error
	add := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
	}
	c.validatePaths(add)
	c.validateWritable(add)
	c.validateHTTP(add)
	if a := c.Legacy.API; !slices.Contains(legacyAPIs(), a) {
		add("legacy.api", "%q is not one of %s", a, strings.Join(legacyAPIs(), ", "))
	}
	if u := c.DeviceAPI.URL; u != "" && !baseURL(u) {
		add("device_api.url", "%q is not a base that paths can be put behind; write it without a slash at its end, like http://127.0.0.1:9080", source.New(u))
	}
	if m := c.Services.Manager; !slices.Contains(managers(), m) {
		add("services.manager", "%q is not one of %s", m, strings.Join(managers(), ", "))
	}
	c.validateServices(add)
	within := func(key string, v, low, high int) {
		if v < low || v > high {
			add(key, "%d is not between %d and %d", v, low, high)
		}
	}
	within("recovery.budget", c.Recovery.Budget, 1, 100)
	if b := c.Recovery.StartBound; b < Duration(time.Minute) || b > Duration(24*time.Hour) {
		add("recovery.start_bound", "%s is not between 1m and 24h", b)
	}
	within("retention.versions", c.Retention.Versions, 1, 1000)
	within("retention.updates", c.Retention.Updates, 1, 10000)
	if m := c.Download.MaxPatch; m < 0 || m > 1<<30 {
		add("download.max_patch", "%d is not between 0 and 1073741824 bytes", m)
	}
	c.Download.Reach().Validate(func(key, format string, args ...any) { add("download."+key, format, args...) })
	c.validateFleet(add)
	for _, kind := range c.Trust.UnsignedBrings {
		if !slices.Contains([]string{Units, Hooks, Commands, Updater}, kind) {
			add("trust.unsigned_brings", "%q is not one of %s, %s, %s, %s", kind, Units, Hooks, Commands, Updater)
		}
	}
	for _, name := range c.Units.Allow {
		if err := unitfiles.ValidPattern(name); err != nil {
			add("units.allow", "%w", err)
		}
	}
	if c.Trust.RequireSignature && c.Trust.AllowUnsigned {
		add("trust.allow_unsigned", "contradicts trust.require_signature")
	}
	return errors.Join(problems...)
}

func (c *Config) validateHTTP(add report) {
	h := c.HTTP
	switch {
	case h.Listen == "":
	case !hostPort(h.Listen):
		add("http.listen", "%q is not HOST:PORT, like 127.0.0.1:12315", h.Listen)
	}
	if h.LAN != "" && !hostPort(h.LAN) {
		add("http.lan", "%q is not HOST:PORT, like 0.0.0.0:12316", h.LAN)
	} else if local := h.Local(); meet(h.LAN, local) {
		_, port, _ := net.SplitHostPort(local)
		add("http.lan", "port %s is taken by http.listen (%s); write another one, like 0.0.0.0:12316", port, local)
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		add("http.tls_cert", "http.tls_cert and http.tls_key belong together; without both the device makes a certificate for itself")
	}
	for _, f := range []struct{ key, path string }{{"tls_cert", h.TLSCert}, {"tls_key", h.TLSKey}} {
		switch {
		case f.path == "":
		case !path.IsAbs(f.path):
			add("http."+f.key, "%q is not an absolute path", f.path)
		case h.LAN == "":
			add("http."+f.key, "is for the network, and http.lan is not set")
		}
	}
	for _, name := range h.Hosts {
		if name == "" || strings.ContainsAny(name, "/: \t") {
			add("http.hosts", "%q is not a host name; write it without scheme and port", name)
		}
	}
}

// meet reports whether lan cannot be listened on beside local, which is on loopback.
func meet(lan, local string) bool {
	host, port, err := net.SplitHostPort(lan)
	_, taken, lerr := net.SplitHostPort(local)
	return err == nil && lerr == nil && port == taken && port != "0" && (host == "" || net.ParseIP(host).IsUnspecified() || loopback(lan))
}

// loopback reports whether only this device can reach HOST:PORT.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// legacyAPIs are what legacy.api can be; httpapi.LegacyAccess says what they mean.
func legacyAPIs() []string { return []string{"open", "token", "off"} }

type report func(key, format string, args ...any)

func (c *Config) validatePaths(add report) {
	p := c.Paths
	for _, e := range []struct{ key, path string }{
		{"versions", p.Versions},
		{"shared", p.Shared},
		{"services", p.Services},
		{"bin", p.Bin},
		{"state", p.State},
		{"run", p.Run},
		{"keys", p.Keys},
	} {
		if !path.IsAbs(e.path) || path.Clean(e.path) != e.path || e.path == "/" {
			add("paths."+e.key, "%q is not a clean absolute path of a directory", e.path)
			continue
		}
		// Everything inside versions/ is swept, pruned and rolled back with it.
		if e.key != "versions" && inside(e.path, p.Versions) {
			add("paths."+e.key, "%s must lie outside %s, which updates replace", e.path, p.Versions)
		}
	}
}

// validateWritable keeps the links inside the version they are made in.
func (c *Config) validateWritable(add report) {
	for _, w := range c.Paths.Writable {
		if err := versions.ValidWritable(w); err != nil {
			add("paths.writable", "%w", err)
		}
	}
}

func inside(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func (c *Config) validateServices(add report) {
	names := map[string]bool{}
	for _, s := range c.Service {
		if names[s.Name] {
			add("service "+s.Name, "is there twice")
		}
		names[s.Name] = true
	}
	for i, s := range c.Service {
		key := "service " + s.Name
		if !service.ValidName(s.Name) {
			add(fmt.Sprintf("service number %d", i+1), "name %q is not a service name (letters, digits, - _ . @)", s.Name)
			continue
		}
		if !path.IsAbs(s.Exec[0]) {
			add(key, "exec: %q is not an absolute path", s.Exec[0])
		}
		for _, a := range s.After {
			if !names[a] {
				add(key, "after: there is no service %q", a)
			}
		}
		for i, h := range s.Health {
			if err := h.Validate(health.Device); err != nil {
				add(key, "health check %d (%.20s): %w", i+1, h.Kind, err)
			}
		}
	}
	if name, ok := c.cycle(); ok {
		add("service "+name, "after: the services wait for each other in a cycle")
	}
}

// cycle finds a service that waits for itself.
func (c *Config) cycle() (string, bool) {
	after := map[string][]string{}
	for _, s := range c.Service {
		after[s.Name] = s.After
	}
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(string) bool
	visit = func(n string) bool {
		if state[n] != 0 {
			return state[n] == visiting
		}
		state[n] = visiting
		for _, a := range after[n] {
			if visit(a) {
				return true
			}
		}
		state[n] = done
		return false
	}
	for _, s := range c.Service {
		if visit(s.Name) {
			return s.Name, true
		}
	}
	return "", false
}

func hostPort(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// baseURL reports whether paths can be put behind s.
func baseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.HasSuffix(s, "/")
}
