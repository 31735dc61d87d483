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
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
)

// Path is where the configuration is when --config does not say otherwise.
const Path = "/etc/tope-updater/config.toml"

// Config is the whole configuration, valid: see Load.
type Config struct {
	Paths     Paths     `toml:"paths"`
	HTTP      HTTP      `toml:"http"`
	DeviceAPI DeviceAPI `toml:"device_api"`
	Services  Services  `toml:"services"`
	// Service lists the services that run from the current version. A file
	// that has any [[service]] replaces the default list.
	Service   []Service `toml:"service"`
	Recovery  Recovery  `toml:"recovery"`
	Retention Retention `toml:"retention"`
	Legacy    Legacy    `toml:"legacy"`
	Trust     Trust     `toml:"trust"`
	Device    Device    `toml:"device"`
	Download  Download  `toml:"download"`
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

// Work is the directory that has one work directory for each open update.
func (p Paths) Work() string { return p.State + "/work" }

// Socket is the local API's socket.
func (p Paths) Socket() string { return p.Run + "/api.sock" }

// HTTP is the HTTP API.
type HTTP struct {
	// Listen is HOST:PORT; empty for no TCP listener (the socket is always there).
	Listen string `toml:"listen"`
	// Hosts are names a client may address the server by, beyond loopback's.
	Hosts []string `toml:"hosts"`
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
	// Health defaults to one check of kind "active"; for device-api, a
	// check of its /health as well.
	Health []health.Check `toml:"health"`
}

// Service is s in the form that service managers take.
func (s Service) Service() service.Service {
	return service.Service{
		Name: s.Name, Unit: s.Unit, Exec: s.Exec, After: s.After,
		StopTimeout: time.Duration(s.StopTimeout),
	}
}

// Recovery bounds what an update may cost.
type Recovery struct {
	// Budget is how many boots or daemon starts a state from Switching on gets.
	Budget int `toml:"budget"`
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
}

// Trust says whose releases are accepted.
type Trust struct {
	// RequireSignature refuses every bundle that is not signed by a known key.
	RequireSignature bool `toml:"require_signature"`
	// AllowUnsigned accepts unsigned bundles and legacy packages although there
	// are keys. It takes away what the keys are for.
	AllowUnsigned bool `toml:"allow_unsigned"`
}

// Device says what this device is: releases for another device are refused.
type Device struct {
	// Product and Hardware are compared with a signed release's; empty accepts any.
	Product  string `toml:"product"`
	Hardware string `toml:"hardware"`
}

// Download says how signed bundles are downloaded.
type Download struct {
	// MaxPatch is the size of the largest file, old or new, that is patched, in
	// bytes: a patch takes both files in memory. Larger files are downloaded whole.
	MaxPatch int64 `toml:"max_patch"`
}

// Duration is written as "30s" or "1h30m".
type Duration = clock.Duration
