package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/service"
)

// validate reports everything that is wrong, not the first thing only.
func (c *Config) validate() error {
	var problems []error
	add := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	c.validatePaths(add)
	c.validateWritable(add)
	if l := c.HTTP.Listen; l != "" && !hostPort(l) {
		add("http.listen", "%q is not HOST:PORT, like 127.0.0.1:12315", l)
	}
	for _, h := range c.HTTP.Hosts {
		if h == "" || strings.ContainsAny(h, "/: \t") {
			add("http.hosts", "%q is not a host name; write it without scheme and port", h)
		}
	}
	if u := c.DeviceAPI.URL; u != "" && !webURL(u) {
		add("device_api.url", "%q is no http URL, like http://127.0.0.1:9080", u)
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
	within("retention.versions", c.Retention.Versions, 1, 1000)
	within("retention.updates", c.Retention.Updates, 1, 10000)
	if m := c.Download.MaxPatch; m < 0 || m > 1<<30 {
		add("download.max_patch", "%d is not between 0 and 1073741824 bytes", m)
	}
	if c.Trust.RequireSignature && c.Trust.AllowUnsigned {
		add("trust.allow_unsigned", "contradicts trust.require_signature")
	}
	return errors.Join(problems...)
}

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
		// What lies inside versions/ is swept, pruned and rolled back with it.
		if e.key != "versions" && inside(e.path, p.Versions) {
			add("paths."+e.key, "%s must lie outside %s, which updates replace", e.path, p.Versions)
		}
	}
}

// validateWritable keeps the links inside the version they are made in.
func (c *Config) validateWritable(add report) {
	for _, w := range c.Paths.Writable {
		if !filepath.IsLocal(w) || path.Clean(w) != w || w == "." {
			add("paths.writable", "%q is no clean path relative to a version, like services/device-api/data", w)
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
		for _, h := range s.Health {
			validateHealth(key, h, add)
		}
	}
	if name, ok := c.cycle(); ok {
		add("service "+name, "after: the services wait for each other in a cycle")
	}
}

func validateHealth(key string, h Health, add report) {
	switch h.Kind {
	case Active:
	case HTTPGet:
		if !webURL(h.URL) {
			add(key, "health: url %q is no http URL, like http://127.0.0.1:9080/health", h.URL)
		}
	case TCP:
		if !hostPort(h.Address) {
			add(key, "health: address %q is no HOST:PORT", h.Address)
		}
	case Command:
		if len(h.Command) == 0 || !path.IsAbs(h.Command[0]) {
			add(key, "health: command must be a list that begins with an absolute path")
		}
	default:
		add(key, "health: kind %q is none of active, http, tcp, command", h.Kind)
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

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.HasSuffix(s, "/")
}
