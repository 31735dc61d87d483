// Package config reads the updater's configuration.
//
// It is one TOML file. Every key has a default, and with no file at all the
// defaults suit the device of section 2 of the design: a configuration says
// only what is different on this device. A mistake in the file is an error with
// the file, the line and what to write instead; a key that this program
// does not know is an error too, since a misspelt key would otherwise silently
// leave its default in force.
//
// Paths in a Config are the device's own: the caller resolves them below --root.
// This package reads one file and touches nothing else.
//
// Start at Load; Default shows every key with its default.
package config

import (
	"time"

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

// Managers that Services can name. Each has its package below platform/service;
// openManager in cmd/tope-updater makes them.
const (
	Systemd  = "systemd"
	Embedded = "embedded"
	// None leaves starting and judging the services to somebody else: an
	// update is its files, links and pointers only.
	None = "none"
)

// managers are all of them.
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
	// Health defaults to one check of kind "active"; device-api's to its
	// /health as well.
	Health []Health `toml:"health"`
}

// Service is s as service managers take it.
func (s Service) Service() service.Service {
	return service.Service{
		Name: s.Name, Unit: s.Unit, Exec: s.Exec, After: s.After,
		StopTimeout: time.Duration(s.StopTimeout),
	}
}

// Kinds of health check.
const (
	Active  = "active"
	HTTPGet = "http"
	TCP     = "tcp"
	Command = "command"
)

// Health is one check of the gate.
type Health struct {
	Kind string `toml:"kind"`
	// URL is for "http", Address (HOST:PORT) for "tcp", Command for "command".
	URL     string   `toml:"url"`
	Address string   `toml:"address"`
	Command []string `toml:"command"`
	// Timeout is how long the service may take until the check passes.
	Timeout Duration `toml:"timeout"`
	// Stable is how long "active" must hold without a restart.
	Stable Duration `toml:"stable"`
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

// Device is what this device is: releases for another are refused.
type Device struct {
	// Product and Hardware are compared with a signed release's; empty accepts any.
	Product  string `toml:"product"`
	Hardware string `toml:"hardware"`
}

// Download says how signed bundles are downloaded.
type Download struct {
	// MaxPatch is the largest file, old or new, that is patched, in bytes: a
	// patch takes both in memory. Larger ones are downloaded whole.
	MaxPatch int64 `toml:"max_patch"`
}

// Duration is a time.Duration written as "30s" or "1h30m".
type Duration time.Duration

// UnmarshalText refuses numbers without a unit, and negative durations.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return badDuration(text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
