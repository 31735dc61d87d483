// Package config reads the updater's configuration.
//
// It is one TOML file. Every key has a default, and with no file at all the
// defaults suit the device of section 2 of the design: a configuration has only
// the differences on this device. A mistake in the file is an error with the
// file, the line and what to write instead. A key that this program does not know
// is an error too, since a misspelt key would otherwise silently leave its
// default in force.
//
// Paths in a Config are the device's own: the caller resolves them below --root.
// This package reads one file and touches nothing else.
//
// Start at Load; Default shows every key with its default.
package config

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/tope/updater/platform/certificate"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/token"
)

// Path is where the configuration is when --config does not say otherwise.
const Path = "/etc/tope-updater/config.toml"

// Config is the whole configuration, valid: see Load.
type Config struct {
	Paths     Paths     `toml:"paths"`
	HTTP      HTTP      `toml:"http"`
	DeviceAPI DeviceAPI `toml:"device_api"`
	Services  Services  `toml:"services"`
	// Service lists the services that run from the current version, and those that are
	// restarted with it although they lie outside. A file
	// that has any [[service]] replaces the default list.
	Service   []Service `toml:"service"`
	Recovery  Recovery  `toml:"recovery"`
	Retention Retention `toml:"retention"`
	Legacy    Legacy    `toml:"legacy"`
	Trust     Trust     `toml:"trust"`
	Units     UnitNames `toml:"units"`
	Device    Device    `toml:"device"`
	Download  Download  `toml:"download"`
	Fleet     Fleet     `toml:"fleet"`
}

// Paths are directories of the device, absolute.
type Paths struct {
	Versions string `toml:"versions"`
	Shared   string `toml:"shared"`
	Services string `toml:"services"`
	Bin      string `toml:"bin"`
	// State holds the journal and the updates' work directories. It must
	// survive power cuts and lie outside Versions.
	State string `toml:"state"`
	// Run holds the socket; it may be empty after a boot.
	Run string `toml:"run"`
	// Keys holds the keys that may sign releases; see package trust.
	Keys string `toml:"keys"`
	// Writable are directories inside a version that its programs write to,
	// relative to it; they become links into Shared.
	Writable []string `toml:"writable"`
}

// Journal is the journal's file.
func (p Paths) Journal() string { return p.State + "/journal.db" }

// Shown is the file that remembers what clients were told last.
func (p Paths) Shown() string { return p.State + "/shown.json" }

// Work is the directory that has one work directory for each open update.
func (p Paths) Work() string { return p.State + "/work" }

// Shelf is the directory that keeps the part of a download whose update has ended.
func (p Paths) Shelf() string { return p.State + "/download" }

// Tokens is the file of the API's tokens.
func (p Paths) Tokens() string { return p.State + "/" + token.FileName }

// Certificate is the file of the device's own certificate for the network.
func (p Paths) Certificate() string { return p.State + "/" + certificate.FileName }

// Socket is the local API's socket.
func (p Paths) Socket() string { return p.Run + "/api.sock" }

// HTTP is the HTTP API.
type HTTP struct {
	// Listen is HOST:PORT for programs on the device, without TLS; empty for no such
	// listener (the socket is always there). It is served at Local.
	Listen string `toml:"listen"`
	// Hosts are names a client may address the server by, beyond loopback's.
	Hosts []string `toml:"hosts"`
	// LAN is HOST:PORT for the network, with TLS; empty for none.
	LAN string `toml:"lan"`
	// TLSCert and TLSKey are the files of the certificate for LAN; empty for one that the
	// device makes for itself.
	TLSCert string `toml:"tls_cert"`
	TLSKey  string `toml:"tls_key"`
}

// Local is where the API is served without TLS: Listen, or its port on loopback when that
// is an address that the network can reach, as versions before 0.10 allowed. A device that
// is configured so goes on, and nobody but its own programs gets in.
func (h HTTP) Local() string {
	if !h.Open() {
		return h.Listen
	}
	_, port, _ := net.SplitHostPort(h.Listen)
	return net.JoinHostPort("127.0.0.1", port)
}

// Open reports whether the network could reach Listen.
func (h HTTP) Open() bool { return h.Listen != "" && !loopback(h.Listen) }

// OpenText says what is wrong with an open Listen, and what to write.
func (h HTTP) OpenText() string {
	return fmt.Sprintf("http.listen: %q can be reached from the network, and has no TLS: only this device is served, at %s; write that, and for the network use http.lan, which has TLS and asks for tokens", h.Listen, h.Local())
}

// DeviceAPI is the program that hears of progress.
type DeviceAPI struct {
	// URL is its base, without a path; empty for no reports.
	URL string `toml:"url"`
}

// The managers that Services can name. Each has its own package below
// platform/service; openManager in cmd/tope-updater makes them.
const (
	Systemd  = "systemd"
	Embedded = "embedded"
	// None leaves starting and judging the services to somebody else: an
	// update is its files, links and pointers only.
	None = "none"
)

// managers are all managers.
func managers() []string { return []string{Systemd, Embedded, None} }

// Services says who runs the services.
type Services struct {
	Manager string `toml:"manager"`
}

// Service is one service and the checks a new version of it must pass.
type Service struct {
	Name string `toml:"name"`
	// Unit defaults to Name + ".service".
	Unit string `toml:"unit"`
	// Exec is what the embedded manager runs; default: Name in the bin directory.
	Exec        []string `toml:"exec"`
	After       []string `toml:"after"`
	StopTimeout Duration `toml:"stop_timeout"`
	// OutsideVersions says that the service does not run from the versions. The gate
	// then does not ask from which one it runs.
	OutsideVersions bool `toml:"outside_versions"`
	// Health defaults to one check of kind "active"; for device-api, a
	// check of its /health as well.
	Health []health.Check `toml:"health"`
}

// Service is s in the form that service managers take.
func (s Service) Service() service.Service {
	return service.Service{
		Name: s.Name, Unit: s.Unit, Exec: s.Exec, After: s.After,
		StopTimeout: time.Duration(s.StopTimeout), OutsideVersions: s.OutsideVersions,
	}
}

// Recovery bounds what an update may cost.
type Recovery struct {
	// Budget is how many boots or daemon starts a state from Switching on gets.
	Budget int `toml:"budget"`
	// StartBound is how long a start may take that systemd does not limit.
	StartBound Duration `toml:"start_bound"`
}

// Retention says how much of the past is kept.
type Retention struct {
	// Versions is how many of the newest complete versions are kept; those in
	// use are kept besides.
	Versions int `toml:"versions"`
	// Updates is how many updates the journal keeps.
	Updates int `toml:"updates"`
}

// Legacy is for clients and packages of the older updater.
type Legacy struct {
	// AllowPostCmds lets packages run shell commands as root.
	AllowPostCmds bool `toml:"allow_post_cmds"`
	// TrustWindow is how long a verified package may wait for its install request.
	TrustWindow Duration `toml:"trust_window"`
	// API says who may install by the legacy API over TCP without a token: "open" for
	// anybody on loopback, "token" for nobody, "off" for no such API.
	API string `toml:"api"`
}

// Trust says whose releases are accepted.
type Trust struct {
	// RequireSignature refuses every bundle that is not signed by a known key.
	RequireSignature bool `toml:"require_signature"`
	// AllowUnsigned accepts unsigned bundles and legacy packages although there
	// are keys. It takes away what the keys are for.
	AllowUnsigned bool `toml:"allow_unsigned"`
	// UnsignedBrings are the kinds of things (Units, Hooks, Commands, Updater) that releases may
	// bring although no signature was checked. All of them run as root.
	UnsignedBrings []string `toml:"unsigned_brings"`
	// FileCapabilities takes releases whose programs have file capabilities
	// (capabilities(7)); they must be signed by a known key all the same.
	FileCapabilities bool `toml:"file_capabilities"`
}

// What UnsignedBrings can name.
const (
	Units    = "units"
	Hooks    = "hooks"
	Commands = "commands"
	Updater  = "updater"
)

// Brings reports whether releases may bring such things without a signature.
func (t Trust) Brings(kind string) bool { return slices.Contains(t.UnsignedBrings, kind) }

// UnitNames says which units releases may bring.
type UnitNames struct {
	// Allow are names and patterns (path.Match). A name that a unit of the system or of an
	// operator has must be listed as it is.
	Allow []string `toml:"allow"`
}

// Device says what this device is: releases for another device are refused.
type Device struct {
	// Product and Hardware are compared with a signed release's; empty accepts any.
	Product  string `toml:"product"`
	Hardware string `toml:"hardware"`
}

// Download says how bundles are downloaded. What the keys of the way to the servers mean
// is told by fetch.Settings, which they become.
type Download struct {
	// MaxPatch is the size of the largest file, old or new, that is patched, in
	// bytes: a patch takes both files in memory. Larger files are downloaded whole.
	MaxPatch int64 `toml:"max_patch"`
	// Reserve is how much downloads leave free on the file system of Paths.State; 0 for
	// download.DefaultReserve.
	Reserve   Size           `toml:"reserve"`
	Proxy     string         `toml:"proxy"`
	ProxyAuth string         `toml:"proxy_auth"`
	NoProxy   []string       `toml:"no_proxy"`
	CAFile    string         `toml:"ca_file"`
	Bandwidth fetch.Rate     `toml:"bandwidth"`
	Server    []fetch.Server `toml:"server"`
}

// Reach is the way to the servers.
func (d Download) Reach() fetch.Settings {
	return fetch.Settings{
		Proxy: d.Proxy, ProxyAuth: d.ProxyAuth, NoProxy: d.NoProxy, CAFile: d.CAFile,
		Bandwidth: d.Bandwidth, Servers: d.Server,
	}
}

// Duration is written as "30s" or "1h30m".
type Duration = clock.Duration
