package systemd

import (
	"context"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/platform/service"
)

var _ service.Launcher = (*Manager)(nil)

// Launch implements service.Launcher.
func (m *Manager) Launch(ctx context.Context, s service.Service) (service.Launch, error) {
	p, err := m.properties(ctx, s)
	if err != nil {
		return service.Launch{}, m.explain("look at", s, err)
	}
	return p.launch(), nil
}

// launch makes a Launch of the properties; see systemd.service(5), systemd.exec(5)
// and org.freedesktop.systemd1(5).
func (p properties) launch() service.Launch {
	if !p.status().Loaded {
		return service.Launch{}
	}
	l := service.Launch{
		RootDir: p.text("RootDirectory"), Image: p.text("RootImage"), Type: p.text("Type"), PIDFile: p.text("PIDFile"),
		RemainsAfterExit: p.flag("RemainAfterExit"), User: p.text("User"),
		StartLimit: p.limit("TimeoutStartUSec"), StopLimit: p.limit("TimeoutStopUSec"),
		Groups: p.groups(), Privileged: p.number("AmbientCapabilities")&passing != 0,
		EnvFiles: p.envFiles(), Made: p.made(), Private: p.private(),
		Search: p.list("ExecSearchPath"),
	}
	// A directory that may be missing is written with a "!" before it.
	l.Dir, l.DirOptional = strings.CutPrefix(p.text("WorkingDirectory"), "!")
	for _, phase := range []service.Phase{service.Condition, service.StartPre, service.Main, service.StartPost} {
		l.Commands = append(l.Commands, p.commands(phase)...)
	}
	return l
}

// passing are the capabilities CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as bits.
const passing = 1<<1 | 1<<2

// groups are the groups that a unit asks for by name.
func (p properties) groups() []string {
	var all []string
	if group := p.text("Group"); group != "" {
		all = append(all, group)
	}
	return append(all, p.list("SupplementaryGroups")...)
}

// envFiles reads a property of type a(sb): the files, and whether each may be missing.
// One whose name is a pattern is left out.
func (p properties) envFiles() (files []string) {
	raw, _ := p["EnvironmentFiles"].([][]any)
	for _, one := range raw {
		if len(one) < 2 {
			continue
		}
		name, _ := one[0].(string)
		optional, _ := one[1].(bool)
		if !optional && name != "" && !strings.ContainsAny(name, "*?[") {
			files = append(files, name)
		}
	}
	return files
}

// made are the directories that systemd makes for a service.
func (p properties) made() (dirs []string) {
	for name, base := range service.MadeDirs() {
		for _, dir := range p.list(name) {
			dirs = append(dirs, base+"/"+dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// private reports whether a unit has mounts of its own that may hide or add files.
func (p properties) private() bool {
	for _, name := range []string{"BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MountImages", "ExtensionImages"} {
		if list, ok := p[name].([][]any); ok && len(list) > 0 {
			return true
		}
	}
	return len(p.list("ExtensionDirectories")) > 0
}

// commands reads a property of type a(sasbttttuii): the program, its arguments,
// whether a failure is ignored, and when it last ran.
func (p properties) commands(phase service.Phase) (list []service.Execution) {
	raw, _ := p[string(phase)].([][]any)
	for _, one := range raw {
		if len(one) < 3 {
			continue
		}
		c := service.Execution{Phase: phase}
		c.Path, _ = one[0].(string)
		c.Args, _ = one[1].([]string)
		c.Lenient, _ = one[2].(bool)
		c.Privileged = p.privileged(phase, len(list))
		list = append(list, c)
	}
	return list
}

// privileged reads the flags of a phase's nth command, in a property that older
// systemds do not have: a(sasasttttuii).
func (p properties) privileged(phase service.Phase, n int) bool {
	raw, _ := p[string(phase)+"Ex"].([][]any)
	if n >= len(raw) || len(raw[n]) < 3 {
		return false
	}
	flags, _ := raw[n][2].([]string)
	return slices.Contains(flags, "privileged") || slices.Contains(flags, "no-setuid")
}

// limit is a time limit; systemd's "infinity" is 0.
func (p properties) limit(name string) time.Duration {
	usec := p.number(name)
	if usec > math.MaxInt64/uint64(time.Microsecond) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Processes implements service.Launcher. The kernel tells the control group of a
// process in the same way under every layout of control groups; the processes of
// a delegated unit are in groups below its own.
func (m *Manager) Processes(ctx context.Context, s service.Service) ([]int, error) {
	p, err := m.properties(ctx, s)
	if err != nil {
		return nil, m.explain("list the processes of", s, err)
	}
	group := p.text("ControlGroup")
	if group == "" || group == "/" {
		return nil, nil
	}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, m.explain("list the processes of", s, err)
	}
	var found []int
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + n.Name() + "/cgroup") // it may have ended
		if err == nil && inGroup(string(text), group) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found, nil
}

// inGroup reads /proc/PID/cgroup: a line for each hierarchy, ID:CONTROLLERS:PATH.
// systemd's own is the one that has no controller, or the one called name=systemd;
// see cgroups(7).
func inGroup(text, group string) bool {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) == 3 && (fields[1] == "" || fields[1] == "name=systemd") && (fields[2] == group || strings.HasPrefix(fields[2], group+"/")) {
			return true
		}
	}
	return false
}
