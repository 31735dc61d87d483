package health

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/source"
)

// Check is one thing that must be true of a healthy service.
type Check struct {
	// Service is the service that is checked. In the configuration it is the
	// table that the check lies in.
	Service string `json:"service" toml:"-"`
	Kind    Kind   `json:"kind" toml:"kind"`
	// URL, Address and Command are what the kinds look at: see kinds.
	URL     string   `json:"url,omitempty" toml:"url"`
	Address string   `json:"address,omitempty" toml:"address"`
	Command []string `json:"command,omitempty" toml:"command"`
	// Timeout is how long the check may take to become true; 0 is DefaultTimeout.
	Timeout clock.Duration `json:"timeout,omitzero" toml:"timeout"`
	// Stable is how long an Active check must stay true; 0 is DefaultStable.
	Stable clock.Duration `json:"stable,omitzero" toml:"stable"`
}

// Kind is the way in which a check looks at its target.
type Kind string

// The kinds of check.
const (
	// Active: the service is active, its main process was started after the
	// flip, it has not restarted by itself, and stays so for Stable.
	Active Kind = "active"
	// HTTP: GET URL answers 2xx.
	HTTP Kind = "http"
	// TCP: a connection to Address can be made.
	TCP Kind = "tcp"
	// Command: Command exits with 0.
	Command Kind = "command"
)

// kind describes a Kind; how it looks is in package steps/healthcheck.
type kind struct {
	Kind
	// target names what a check of this kind looks at.
	target func(Check) string
	// validate judges the fields that are its own.
	validate func(Check, Author) error
}

func kinds() []kind {
	return []kind{
		{Active, func(c Check) string { return c.Service }, func(Check, Author) error { return nil }},
		{HTTP, func(c Check) string { return source.WithoutPassword(c.URL) }, validateURL},
		{TCP, func(c Check) string { return c.Address }, validateAddress},
		{Command, func(c Check) string { return strings.Join(c.Command, " ") }, validateCommand},
	}
}

// Kinds returns every kind there is.
func Kinds() []Kind {
	var all []Kind
	for _, k := range kinds() {
		all = append(all, k.Kind)
	}
	return all
}

func kindOf(name Kind) (kind, bool) {
	for _, k := range kinds() {
		if k.Kind == name {
			return k, true
		}
	}
	return kind{}, false
}

// choice lists the kinds in a sentence.
func choice() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// validateURL takes any URL that GET can be sent to. A URL with a port and no host
// means this device.
func validateURL(c Check, _ Author) error {
	const hint = "write it like http://127.0.0.1:8080/health"
	if c.URL == "" {
		return errors.New("it has no url; " + hint)
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return errors.New("url cannot be parsed; " + hint)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("url %.200q is neither http nor https; %s", source.WithoutPassword(c.URL), hint)
	case u.Hostname() == "" && u.Port() == "":
		return fmt.Errorf("url %.200q names no host; %s", source.WithoutPassword(c.URL), hint)
	case !host(u.Hostname()):
		return fmt.Errorf("url %.200q has no name or address of a host; %s", source.WithoutPassword(c.URL), hint)
	case u.Port() != "" && !port(u.Port()):
		return fmt.Errorf("url %.200q has port %s, and ports are from 1 to 65535; %s", source.WithoutPassword(c.URL), u.Port(), hint)
	}
	return nil
}

func validateAddress(c Check, _ Author) error {
	const hint = "write HOST:PORT, like 127.0.0.1:8080"
	if c.Address == "" {
		return errors.New("it has no address; " + hint)
	}
	h, p, err := net.SplitHostPort(c.Address)
	if err != nil || !port(p) {
		return fmt.Errorf("address %.200q has no port from 1 to 65535; %s", c.Address, hint)
	}
	if !host(h) {
		return fmt.Errorf("address %.200q has no name or address of a host; %s", c.Address, hint)
	}
	return nil
}

func validateCommand(c Check, by Author) error {
	hint := `write a list that begins with an absolute path, like ["/usr/bin/true"]`
	if by == Publisher {
		hint = `write a list that begins with an absolute path, or one inside the version, like ["bin/check"]`
	}
	if len(c.Command) == 0 {
		return errors.New("it has no command; " + hint)
	}
	program := c.Command[0]
	switch {
	case strings.ContainsRune(strings.Join(c.Command, ""), 0):
		return errors.New("command has a zero byte; " + hint)
	case path.IsAbs(program) && !strings.HasSuffix(program, "/"):
		return nil
	case by == Publisher && program != "." && fs.ValidPath(program):
		return nil
	}
	return fmt.Errorf("command: %.200q is not the path of a program; %s", program, hint)
}

// host reports whether s can be a host: an address, a name of letters, digits
// and - . _, or nothing, which is this device.
func host(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.N) && !strings.ContainsRune("-._", r)
	})
}

func port(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
