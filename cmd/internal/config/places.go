package config

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/unitfiles"
)

// Place is a path of the device that the configuration names.
type Place struct {
	// Key is the key of the configuration.
	Key, Path string
	// Write: the daemon writes there; else it only reads.
	Write bool
}

// Denied says that the daemon's sandbox denies a place.
func (p Place) Denied(kind look.Denial) string {
	if kind == look.Hidden {
		return fmt.Sprintf("the daemon's sandbox hides %s (%s): it sees something else there", p.Path, p.Key)
	}
	return fmt.Sprintf("the daemon's sandbox cannot write to %s (%s), though it is not read-only", p.Path, p.Key)
}

// Places are the paths with which the daemon works.
func (c Config) Places() []Place {
	all := c.directories()
	for _, s := range c.Service {
		for _, h := range s.Health {
			if len(h.Command) > 0 && path.IsAbs(h.Command[0]) {
				all = append(all, Place{"service.health.command", h.Command[0], false})
			}
		}
	}
	file := func(key, path string) {
		if path != "" {
			all = append(all, Place{key, path, false})
		}
	}
	file("http.tls_cert", c.HTTP.TLSCert)
	file("http.tls_key", c.HTTP.TLSKey)
	file("download.ca_file", c.Download.CAFile)
	for _, s := range c.Download.Server {
		file("download.server.client_cert", s.ClientCert)
		file("download.server.client_key", s.ClientKey)
		for _, name := range slices.Sorted(maps.Keys(s.HeaderFiles)) {
			file("download.server.header_files", s.HeaderFiles[name])
		}
	}
	file("fleet.token_file", c.Fleet.TokenFile)
	if len(c.Fleet.Veto) > 0 {
		file("fleet.veto", c.Fleet.Veto[0])
	}
	return all
}

func (c Config) directories() []Place {
	p := c.Paths
	return []Place{
		{"paths.versions", p.Versions, true},
		{"paths.shared", p.Shared, true},
		{"paths.services", p.Services, true},
		{"paths.bin", p.Bin, true},
		{"paths.state", p.State, true},
		{"paths.run", p.Run, true},
		{"paths.keys", p.Keys, c.Fleet.Channel != ""}, // a channel brings keys
	}
}

// What the daemon's unit allows for (deploy/systemd/tope-updater.service): memory for
// patches of this size, and this much besides.
const (
	usualPatch = 24 << 20
	besides    = 48 << 20
)

// usualState is the StateDirectory= of the daemon's unit.
const usualState = "/var/lib/tope-updater"

// Needs are what the configuration needs of the updater's own units: nothing, at the
// defaults, when no link of the device leads elsewhere. systemd follows links in what it
// mounts, but not in what it waits for, and a directory that it lets the daemon write to
// ends where a link in it leads out. So it is told where the directories lie.
func (c Config) Needs(root disk.Root) unitfiles.Needs {
	var n unitfiles.Needs
	usual := Config{Paths: Default().Paths, Fleet: c.Fleet}.directories()
	leads := func(device string) string { return lies(root, device) }
	asTheyAre := func(device string) string { return device }
	n.StateLink = isLink(root, usualState)
	for _, p := range c.Places() {
		moved, at := !slices.Contains(usual, p), leads(p.Path)
		switch {
		case p.Key == "paths.run":
			if moved {
				n.Run, n.Socket = p.Path, c.Paths.Socket()
			}
		case p.Write && (moved || unitfiles.Private(at) || !given(at, leads) || p.Path == usualState && n.StateLink):
			n.Writes = append(n.Writes, at)
		case p.Key == "paths.keys" && moved, unitfiles.Private(at), p.inPaths() && !given(at, asTheyAre):
			n.Reads = append(n.Reads, at)
		}
	}
	low, _ := c.LowPort()
	n.LowPort = low != 0
	if c.Download.MaxPatch > usualPatch {
		n.Memory = c.MemoryNeed()
	}
	return n
}

func (p Place) inPaths() bool { return strings.HasPrefix(p.Key, "paths.") }

// lies is the device path to which a device path leads. One below /tmp stays as it is: the
// daemon has a directory of its own there, in which it gets the path itself.
func lies(root disk.Root, device string) string {
	host, err := root.Resolve(device)
	if err != nil || unitfiles.Private(device) {
		return device // doctor says what is wrong with it
	}
	return root.Device(host)
}

func isLink(root disk.Root, device string) bool {
	host, err := root.Path(device)
	if err != nil {
		return false
	}
	info, err := os.Lstat(host)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// given reports whether the shipped units give the daemon a place: they wait for its file
// system and let the daemon write there. leads tells where their own paths lead.
func given(at string, leads func(device string) string) bool {
	return slices.ContainsFunc([]string{"/opt/tope", "/usr/local/bin", usualState, "/etc/tope-updater"}, func(dir string) bool {
		dir = leads(dir)
		return at == dir || strings.HasPrefix(at, dir+"/")
	})
}

// MemoryNeed is what the daemon may have to take, in bytes: a patch has the old and the
// new file in memory, and hooks and commands need some.
func (c Config) MemoryNeed() int64 { return 2*c.Download.MaxPatch + besides }

// reserved are the ports below this one.
const reserved = 1024

// LowPort is the first port of the HTTP API where listening takes a capability
// (CAP_NET_BIND_SERVICE, see ip(7)), with the key that names it; 0 if there is none.
func (c Config) LowPort() (port int, key string) {
	for _, at := range []struct{ key, address string }{{"http.listen", c.HTTP.Listen}, {"http.lan", c.HTTP.LAN}} {
		_, text, err := net.SplitHostPort(at.address)
		if err != nil {
			continue
		}
		if port, err := strconv.Atoi(text); err == nil && port < reserved {
			return port, at.key
		}
	}
	return 0, ""
}
