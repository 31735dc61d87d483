package unitfiles

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tope/updater/platform/service"
)

// Dir is the directory of a version's units.
const Dir = "systemd"

// Bounds of the units that a version may carry.
const (
	MaxUnits = 64
	MaxSize  = 64 << 10
)

// Unit is a unit that a version carries.
type Unit struct {
	// Name is systemd's, with its suffix.
	Name string
	// Passing is set for a oneshot that ends when it has run: at a switch there is
	// nothing to stop. A oneshot with RemainAfterExit= is up until it is stopped.
	Passing bool
	// Enabled is set when something on this device wants the unit.
	Enabled bool

	text []byte
	// wanted are the directories of links, such as multi-user.target.wants,
	// that its [Install] section asks for.
	wanted []string
}

// Service says whether the unit is a service; Base is then its name without the suffix.
func (u Unit) Service() (base string, ok bool) { return strings.CutSuffix(u.Name, ".service") }

// Template reports whether the unit is a template: only its instances run.
func (u Unit) Template() bool { return strings.Contains(u.Name, "@.") }

// suffixes are the kinds of unit that a version may carry. The others describe
// the machine (mounts, devices, slices), which is not the application's business.
func suffixes() []string { return []string{".service", ".socket", ".timer", ".path", ".target"} }

// CheckName refuses names that a unit of a version may not have.
func CheckName(name string) error {
	base, ok := "", false
	for _, s := range suffixes() {
		if b, has := strings.CutSuffix(name, s); has {
			base, ok = b, true
		}
	}
	if !ok || !service.ValidName(base) {
		return fmt.Errorf("unit %q: want a name of letters, digits, and -_.@ that ends in one of %s", name, strings.Join(suffixes(), " "))
	}
	for _, own := range []string{"tope-updater", "systemd-", "dbus"} {
		if strings.HasPrefix(name, own) {
			return fmt.Errorf("unit %q: names that begin with %s are not for releases", name, own)
		}
	}
	return nil
}

// File is an entry of a version, as its manifest has it.
type File struct {
	Path    string
	Regular bool
	Size    int64
	Link    bool
}

// Check refuses a version whose systemd directory has anything but units within
// the bounds. It does not read the disk.
func Check(files []File) error {
	count := 0
	for _, f := range files {
		dir, name := path.Split(f.Path)
		if f.Path == Dir && f.Regular {
			return fmt.Errorf("%s is a file, and should be a directory of units", Dir)
		}
		if f.Path == Dir && f.Link {
			return fmt.Errorf("%s is a link, and should be a directory of units", Dir)
		}
		if !strings.HasPrefix(f.Path, Dir+"/") {
			continue
		}
		if !f.Regular || dir != Dir+"/" {
			return fmt.Errorf("%s: only regular files may be in %s", f.Path, Dir)
		}
		if err := CheckName(name); err != nil {
			return err
		}
		if f.Size > MaxSize {
			return fmt.Errorf("unit %s has %d bytes; %d are allowed", name, f.Size, MaxSize)
		}
		if count++; count > MaxUnits {
			return fmt.Errorf("more than %d units", MaxUnits)
		}
	}
	return nil
}

// CheckText refuses a unit whose content Carried would leave out.
func CheckText(name string, text []byte) error {
	if len(text) > MaxSize {
		return fmt.Errorf("unit %s has %d bytes; %d are allowed", name, len(text), MaxSize)
	}
	_, err := parse(name, text)
	return err
}

// parse reads the few settings of a unit that matter here. Complaining about the
// rest is left to systemd.
func parse(name string, text []byte) (Unit, error) {
	u := Unit{Name: name, text: text}
	if bytes.IndexByte(text, 0) >= 0 {
		return u, fmt.Errorf("unit %s is not a text file", name)
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	section, oneshot, remains := "", false, false
	lines := bufio.NewScanner(strings.NewReader(joined))
	lines.Buffer(nil, 2*MaxSize)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch section + key {
		case "[Service]Type":
			oneshot = value == "oneshot"
		case "[Service]RemainAfterExit":
			remains = truth(value)
		case "[Unit]Conflicts", "[Unit]PropagatesStopTo":
			if slices.ContainsFunc(strings.Fields(value), updaters) {
				return u, fmt.Errorf("unit %s: %s would stop the updater in mid-update", name, line)
			}
		case "[Install]WantedBy":
			u.want(value, ".wants")
		case "[Install]RequiredBy":
			u.want(value, ".requires")
		}
	}
	u.Passing = oneshot && !remains
	return u, lines.Err()
}

// truth is what systemd takes for yes.
func truth(value string) bool {
	switch strings.ToLower(value) {
	case "1", "yes", "y", "true", "t", "on":
		return true
	}
	return false
}

// updaters says whether a unit is the updater's own.
func updaters(unit string) bool { return strings.HasPrefix(unit, "tope-updater") }

// want notes the directories for one line of [Install]. An empty value cancels the
// lines before it; names with specifiers are left out. RequiredBy= is ignored for
// the updater: the updater would be stopped when it restarts the unit, and the
// device would be left with neither.
func (u *Unit) want(value, suffix string) {
	names := strings.Fields(value)
	if len(names) == 0 {
		kept := u.wanted[:0]
		for _, d := range u.wanted {
			if !strings.HasSuffix(d, suffix) {
				kept = append(kept, d)
			}
		}
		u.wanted = kept
	}
	for _, n := range names {
		base := strings.TrimSuffix(n, path.Ext(n))
		if path.Ext(n) != "" && service.ValidName(base) && !u.Template() && (suffix != ".requires" || !updaters(n)) {
			u.wanted = append(u.wanted, n+suffix)
		}
	}
}
