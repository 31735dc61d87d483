package unitfiles

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Confined is what a service unit's settings let its processes do to the device's files, as
// far as the updater's own units use them; see "Sandboxing" in systemd.exec(5). It is for a
// process that does not run yet: of one that does, look.Sandbox tells more.
type Confined struct {
	rules []rule
	// made are the directories that systemd makes for the unit.
	made []string
	// hides are the directories that are others inside than outside, and bound those that
	// are the same all the same.
	hides, bound []string
	// barred are those of hides that stay hidden although they are in bound themselves.
	barred []string
	// capabilities are the names in CapabilityBoundingSet=; nil when all are left.
	capabilities []string
	// Memory is MemoryMax= in bytes; math.MaxInt64 without a limit.
	Memory int64
}

// rule is what a setting says of a directory and of what is in it. optional: it counts only
// if the directory exists.
type rule struct {
	dir      string
	write    bool
	optional bool
}

// Confine reads the settings of a unit, whose file and drop-ins have these texts, in the
// order in which systemd reads them.
func Confine(unit string, texts ...[]byte) Confined {
	r := reader{unit: unit, set: map[string]string{}, lists: map[string][]string{}}
	for _, text := range texts {
		r.read(text)
	}
	c := Confined{Memory: math.MaxInt64, capabilities: r.capabilities()}
	switch mode := r.value("ProtectSystem"); {
	case mode == "strict":
		c.rule(false, "/")
		c.rule(true, "/dev", "/proc", "/sys")
	case mode == "full":
		c.rule(false, "/usr", "/boot", "/efi", "/etc")
	case truth(mode):
		c.rule(false, "/usr", "/boot", "/efi")
	}
	switch mode := r.value("ProtectHome"); {
	case mode == "read-only":
		c.rule(false, "/home", "/root", "/run/user")
	case mode == "tmpfs":
		c.hides = append(c.hides, "/home", "/root", "/run/user")
	case truth(mode):
		c.barred = []string{"/home", "/root", "/run/user"}
		c.hides = append(c.hides, c.barred...)
	}
	if mode := r.value("PrivateTmp"); truth(mode) || mode == "disconnected" {
		c.hides = append(c.hides, "/tmp", "/var/tmp")
	}
	for _, p := range r.paths("InaccessiblePaths", "TemporaryFileSystem") {
		c.hides = append(c.hides, p.dir)
	}
	c.rules = append(c.rules, r.paths("ReadOnlyPaths", "BindReadOnlyPaths")...)
	for _, p := range r.paths("ReadWritePaths", "BindPaths") {
		p.write = true
		c.rules = append(c.rules, p)
	}
	for key, base := range map[string]string{
		"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log", "ConfigurationDirectory": "/etc",
	} {
		for _, p := range r.paths(key) {
			c.rule(true, path.Join(base, p.dir))
			if key != "ConfigurationDirectory" {
				c.made = append(c.made, path.Join(base, p.dir))
			}
		}
	}
	if n, ok := bytesOf(r.value("MemoryMax")); ok {
		c.Memory = n
	}
	for _, p := range r.paths("BindPaths", "BindReadOnlyPaths") {
		c.bound = append(c.bound, p.dir)
	}
	return c
}

func (c *Confined) rule(write bool, dirs ...string) {
	for _, dir := range dirs {
		c.rules = append(c.rules, rule{dir: dir, write: write})
	}
}

// Hides reports whether the processes see something else at a path than the device does.
func (c Confined) Hides(p string) bool {
	return slices.ContainsFunc(c.hides, func(dir string) bool {
		shown := func(b string) bool {
			return within(p, b) && within(b, dir) && (b != dir || !slices.Contains(c.barred, dir))
		}
		return within(p, dir) && !slices.ContainsFunc(c.bound, shown)
	})
}

// Made are the directories that systemd makes and owns, as with StateDirectory=. It does
// not start the unit when one of them is a link.
func (c Confined) Made() []string { return c.made }

// Binds reports whether a path is one that the processes see by a setting of its own, in the
// place of what would hide it.
func (c Confined) Binds(p string) bool {
	hidden := func(dir string) bool { return within(p, dir) }
	return slices.ContainsFunc(c.hides, hidden) && !c.Hides(p)
}

// Writes reports whether the processes may write to a path that has no links in it. Of the
// settings for it and for the directories above it, the one for the longest path counts.
// leads is where a setting's path leads to, and whether that exists: systemd follows its
// links, and a setting that is optional does not count where there is nothing.
func (c Confined) Writes(p string, leads func(path string) (to string, there bool)) bool {
	best := rule{write: true}
	for _, r := range c.rules {
		to, there := leads(r.dir)
		if !there && r.optional {
			continue
		}
		if longer := len(to) > len(best.dir) || len(to) == len(best.dir) && r.write; longer && within(p, to) {
			best = rule{dir: to, write: r.write}
		}
	}
	return best.write
}

// Has reports whether the processes may have a capability, such as CAP_NET_BIND_SERVICE.
func (c Confined) Has(capability string) bool {
	return c.capabilities == nil || slices.Contains(c.capabilities, capability)
}

// capabilities are those of CapabilityBoundingSet=, nil for all. A list that begins with ~
// is not read: it takes away.
func (r *reader) capabilities() []string {
	list, set := r.lists["CapabilityBoundingSet"]
	if !set {
		return nil
	}
	all := []string{}
	for _, line := range list {
		if strings.HasPrefix(line, "~") {
			return nil
		}
		all = append(all, strings.Fields(line)...)
	}
	return all
}

// paths are the directories in the values of settings that take lists of them.
func (r *reader) paths(keys ...string) (all []rule) {
	for _, key := range keys {
		for _, line := range r.lists[key] {
			for _, one := range split(line) {
				dir, optional := strings.CutPrefix(one, "-")
				dir = strings.TrimPrefix(dir, "+")
				if strings.HasPrefix(key, "Bind") { // SOURCE:DESTINATION:OPTIONS
					parts := strings.Split(dir, ":")
					dir = parts[min(1, len(parts)-1)]
				} else {
					dir, _, _ = strings.Cut(dir, ":")
				}
				dir = strings.ReplaceAll(r.expand(dir), "%%", "%")
				all = append(all, rule{dir: path.Clean(dir), optional: optional})
			}
		}
	}
	return all
}

// bytesOf reads a size as systemd writes it: digits, with a suffix to the base 1024.
func bytesOf(value string) (int64, bool) {
	if value == "" {
		return 0, false
	}
	if value == "infinity" {
		return math.MaxInt64, true
	}
	number, factor := value, int64(1)
	if at := strings.IndexByte("KMGT", value[len(value)-1]); at >= 0 {
		number, factor = value[:len(value)-1], 1<<(10*(at+1))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n * factor, err == nil
}
