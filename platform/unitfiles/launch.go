package unitfiles

import (
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/service"
)

// startLimit is systemd's own default of TimeoutStartSec= and TimeoutStopSec=.
const startLimit = 90 * time.Second

// Launch tells what systemd would execute for a service unit of this name, whose file
// and drop-ins have these texts, in the order in which systemd reads them. It is for a
// unit that systemd has not read yet: a manager's own Launch knows better.
//
// Specifiers of the unit's name are filled in; others stay as they are, with their
// "%". A text that systemd would refuse gives whatever can be read of it.
func Launch(unit string, texts ...[]byte) service.Launch {
	r := reader{unit: unit, set: map[string]string{}, lists: map[string][]string{}}
	for _, text := range texts {
		r.read(text)
	}
	return r.launch()
}

// reader collects the [Service] section: of a key that takes one value the last counts,
// and an empty value of a key that takes several cancels those before it.
type reader struct {
	unit  string
	set   map[string]string
	lists map[string][]string
}

func (r *reader) read(text []byte) {
	section := ""
	eachLine(text, func(line string) {
		if line[0] == '[' {
			section = line
			return
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section != "[Service]" {
			return
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		r.set[key] = value
		if value == "" {
			delete(r.lists, key)
			return
		}
		r.lists[key] = append(r.lists[key], value)
	})
}

// eachLine calls one for each line that says something, with continued lines joined.
func eachLine(text []byte, one func(line string)) {
	var whole strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); whole.Len() == 0 && trimmed == "" || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue // a comment does not end a line that is continued
		}
		if more, continues := strings.CutSuffix(line, "\\"); continues {
			whole.WriteString(more + " ")
			continue
		}
		whole.WriteString(line)
		if said := strings.TrimSpace(whole.String()); said != "" {
			one(said)
		}
		whole.Reset()
	}
	if said := strings.TrimSpace(whole.String()); said != "" {
		one(said)
	}
}

func (r *reader) launch() service.Launch {
	l := service.Launch{
		RootDir: r.value("RootDirectory"), Image: r.value("RootImage"), PIDFile: r.value("PIDFile"),
		RemainsAfterExit: truth(r.set["RemainAfterExit"]), User: r.value("User"), Groups: r.words("Group", "SupplementaryGroups"),
		Privileged: passes(r.words("AmbientCapabilities")),
		Private:    len(r.words("BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MountImages", "ExtensionImages", "ExtensionDirectories")) > 0,
	}
	l.Dir, l.DirOptional = strings.CutPrefix(r.value("WorkingDirectory"), "-")
	for _, list := range r.words("ExecSearchPath") {
		l.Search = append(l.Search, strings.Split(list, ":")...)
	}
	for _, file := range r.lists["EnvironmentFile"] {
		if !strings.HasPrefix(file, "-") && !strings.ContainsAny(file, "*?[") {
			l.EnvFiles = append(l.EnvFiles, r.expand(file))
		}
	}
	for key, base := range service.MadeDirs() {
		for _, name := range r.words(key) {
			name, _, _ = strings.Cut(name, ":")
			l.Made = append(l.Made, base+"/"+name)
		}
	}
	slices.Sort(l.Made)
	for _, phase := range []service.Phase{service.Condition, service.StartPre, service.Main, service.StartPost} {
		for _, line := range r.lists[string(phase)] {
			l.Commands = append(l.Commands, r.commands(phase, line)...)
		}
	}
	l.Type = r.kind(l)
	l.StartLimit, l.StopLimit = r.limit("TimeoutStartSec", l.Type == "oneshot"), r.limit("TimeoutStopSec", false)
	return l
}

// kind is Type=, with systemd's default.
func (r *reader) kind(l service.Launch) string {
	_, main := l.MainCommand()
	switch {
	case r.set["Type"] != "":
		return r.set["Type"]
	case r.set["BusName"] != "":
		return "dbus"
	case !main:
		return "oneshot"
	}
	return "simple"
}

func (r *reader) limit(key string, endless bool) time.Duration {
	for _, k := range []string{key, "TimeoutSec"} {
		if d, ok := service.Span(r.set[k]); ok {
			return d
		}
	}
	if endless {
		return 0
	}
	return startLimit
}

func (r *reader) value(key string) string { return r.expand(r.set[key]) }

func (r *reader) words(keys ...string) (all []string) {
	for _, key := range keys {
		for _, line := range r.lists[key] {
			for _, word := range strings.Fields(line) {
				all = append(all, r.expand(word))
			}
		}
	}
	return all
}

// passes reports whether capabilities make the modes of directories count for nothing.
func passes(capabilities []string) bool {
	for _, c := range capabilities {
		if c = strings.ToUpper(c); c == "CAP_DAC_OVERRIDE" || c == "CAP_DAC_READ_SEARCH" {
			return true
		}
	}
	return false
}

// expand fills in the specifiers that stand for parts of the unit's name; see
// systemd.unit(5).
func (r *reader) expand(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	name, _, _ := strings.Cut(r.unit, ".service")
	prefix, instance, _ := strings.Cut(name, "@")
	return strings.NewReplacer("%%", "%%", "%n", r.unit, "%N", name, "%p", prefix, "%i", instance).Replace(s)
}
