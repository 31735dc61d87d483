package unitfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The updater's own units.
const (
	DaemonUnit  = "tope-updater.service"
	RecoverUnit = "tope-updater-recover.service"
	RescueUnit  = "tope-updater-rescue.service"
	SocketUnit  = "tope-updater.socket"
)

// Needs are what a configuration needs of the updater's own units beyond what they give a
// device whose paths are at their defaults. The zero value needs nothing.
type Needs struct {
	// Writes are directories that were moved, and that the daemon writes to; Reads those
	// that it only reads.
	Writes, Reads []string
	// StateLink: the default state directory is a link, which systemd refuses
	// (StateDirectory=). The daemon makes its own, then.
	StateLink bool
	// Run is the directory of the socket, when it was moved, and Socket the socket.
	Run, Socket string
	// LowPort: the daemon listens on a port that only some may listen on.
	LowPort bool
	// Memory is what the daemon may take, in bytes; 0 when its unit's limit suffices.
	Memory int64
}

// Directories are those that have to exist before the daemon starts: its sandbox cannot
// open what is not there.
func (n Needs) Directories() []string {
	if _, volatile := n.runtime(); n.Run == "" || volatile {
		return n.Writes
	}
	return append(slices.Clone(n.Writes), n.Run)
}

// runtime is the run directory below /run, where systemd makes it anew at each boot;
// volatile is false when it is elsewhere.
func (n Needs) runtime() (below string, volatile bool) {
	return strings.CutPrefix(strings.TrimPrefix(n.Run, "/var"), "/run/")
}

// dropIns are the texts of the drop-ins, by unit; "" for a unit that needs none. What is
// moved has to be mounted before any of the units starts.
func (n Needs) dropIns() map[string]string {
	var order, sandbox, rescue, socket lines
	order.paths("RequiresMountsFor", "", slices.Concat(n.Writes, n.Reads)...)
	if n.StateLink {
		sandbox.add("StateDirectory=")
	}
	for _, dir := range n.Writes {
		if Private(dir) {
			sandbox.paths("BindPaths", "-", dir)
			continue
		}
		sandbox.paths("ReadWritePaths", "-", dir)
		rescue.paths("ReadWritePaths", "-", dir) // it has the device's own /tmp
	}
	for _, dir := range n.Reads {
		if Private(dir) {
			sandbox.paths("BindReadOnlyPaths", "-", dir)
		}
	}
	if below, volatile := n.runtime(); volatile {
		sandbox.paths("RuntimeDirectory", "", below)
	} else if n.Run != "" {
		sandbox.paths("ReadWritePaths", "-", n.Run)
		order.paths("RequiresMountsFor", "", n.Run)
	}
	if n.Run != "" {
		rescue.paths("ReadWritePaths", "-", n.Run)
		socket.add("ListenStream=")
		socket.paths("ListenStream", "", n.Socket)
	}
	if n.LowPort {
		sandbox.add("CapabilityBoundingSet=CAP_NET_BIND_SERVICE")
	}
	if n.Memory > 0 {
		sandbox.add(fmt.Sprintf("MemoryMax=%d", n.Memory))
	}
	return map[string]string{
		DaemonUnit:  text(section{"Unit", order}, section{"Service", sandbox}),
		RecoverUnit: text(section{"Unit", order}),
		RescueUnit:  text(section{"Unit", order}, section{"Service", rescue}),
		SocketUnit:  text(section{"Socket", socket}),
	}
}

// Private reports whether the daemon has a directory of its own in the place of the one
// that a path is in (PrivateTmp=).
func Private(dir string) bool { return within(dir, "/tmp") || within(dir, "/var/tmp") }

func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

type lines []string

func (l *lines) add(line string) { *l = append(*l, line) }

// paths adds a line for each path. prefix is one that systemd understands.
func (l *lines) paths(key, prefix string, paths ...string) {
	for _, p := range paths {
		l.add(key + "=" + word(prefix+path.Clean(p)))
	}
}

// word makes one word of a path for systemd: see "Quoting" in systemd.syntax(7), and
// "Specifiers" in systemd.unit(5).
func word(p string) string {
	p = strings.NewReplacer(`%`, `%%`, `\`, `\\`, `"`, `\"`).Replace(p)
	if strings.ContainsAny(p, " \t'\"\\;") {
		return `"` + p + `"`
	}
	return p
}

type section struct {
	name  string
	lines lines
}

// text is that of a drop-in, or "" without any line.
func text(sections ...section) string {
	var b strings.Builder
	for _, s := range sections {
		if len(s.lines) > 0 {
			b.WriteString("[" + s.name + "]\n" + strings.Join(s.lines, "\n") + "\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return dropInHeader + b.String()
}

// OwnUnits are the units that Needs is about, by name.
func OwnUnits() []string { return slices.Sorted(maps.Keys(Needs{}.dropIns())) }

// OwnDue are the updater's own units whose drop-ins are not as Needs has them. It changes
// nothing.
func (s *Store) OwnDue() (due []string, err error) {
	dir, err := s.cfg.Root.Resolve(etc)
	if err != nil {
		return nil, err
	}
	want := s.cfg.Needs.dropIns()
	for _, unit := range OwnUnits() {
		file := filepath.Join(dir, unit+".d", dropInName)
		have, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return due, fmt.Errorf("cannot read a drop-in: %w", err)
		}
		if string(have) != want[unit] && (want[unit] != "" || strings.HasPrefix(string(have), dropInHeader)) {
			due = append(due, unit)
		}
	}
	return due, nil
}
