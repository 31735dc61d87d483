package look_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
)

// launcher is a manager whose services are what the test says.
type launcher struct {
	service.Manager
	launch service.Launch
	pids   []int
}

func (l *launcher) Launch(context.Context, service.Service) (service.Launch, error) {
	return l.launch, nil
}

func (l *launcher) Processes(context.Context, service.Service) ([]int, error) { return l.pids, nil }

// executes makes the unit execute a command.
func (l *launcher) executes(words ...string) *launcher {
	l.launch.Commands = append(l.launch.Commands, service.Execution{Phase: service.Main, Path: words[0], Args: words})
	return l
}

// origins are a device with two versions, whose programs are copies of a real one.
func origins(t *testing.T) (*device, look.Origins) {
	t.Helper()
	d := newDevice(t)
	sleep, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	for _, v := range []string{"1.0.0", "1.1.0"} {
		d.publish(v, "bin/api", "services/web/run")
		require.NoError(t, os.Chmod(d.Path(v)+"/bin", 0o755))
		require.NoError(t, os.WriteFile(d.Path(v)+"/bin/napper", sleep, 0o755))
	}
	d.link("current", "v1.1.0")
	return d, look.Origins{Root: d.root, Versions: d.Dir()}
}

// run starts a process and returns when it executes its program.
func run(t *testing.T, edit func(*exec.Cmd), program string, args ...string) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	if edit != nil {
		edit(cmd)
	}
	ready, err := cmd.StdinPipe() // what it waits for
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = ready.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	return cmd.Process.Pid
}

func (d *device) host(path string) string { return filepath.Join(d.root.Dir(), path) }

func TestWhatAProcessUses(t *testing.T) {
	d, o := origins(t)
	const v0, v1 = "/opt/tope/versions/v1.0.0", "/opt/tope/versions/v1.1.0"
	shell, err := filepath.EvalSymlinks("/bin/sh")
	require.NoError(t, err)
	waiting := "read x"
	require.NoError(t, os.WriteFile(d.host("plain.sh"), []byte(waiting+"\n"), 0o644))
	require.NoError(t, os.Chmod(d.Path("1.1.0")+"/services/web", 0o755))
	require.NoError(t, os.WriteFile(d.Path("1.1.0")+"/services/web/wait.sh", []byte(waiting+"\n"), 0o644))
	library, err := os.Open(d.Path("1.0.0") + "/bin/napper")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, library.Close()) })

	for name, c := range map[string]struct {
		start    func() int
		want     []look.Use
		versions []string
	}{
		"a program of a version": {
			func() int { return run(t, nil, d.host("/opt/tope/versions/current/bin/napper"), "1000") },
			[]look.Use{{Part: look.Program, Version: "1.1.0", Path: v1 + "/bin/napper"}},
			[]string{"1.1.0"},
		},
		"a script, as it leads now": {
			func() int {
				return run(t, nil, shell, "-e", d.host("/opt/tope/versions/current/services/web/wait.sh"), d.host(v0+"/bin/api"))
			},
			[]look.Use{
				{Part: look.Program, Path: shell},
				{Part: look.Script, Version: "1.1.0", Path: v1 + "/services/web/wait.sh"},
				{Part: look.Argument, Version: "1.0.0", Path: v0 + "/bin/api"},
				{Part: look.Open, Version: "1.1.0", Path: v1 + "/services/web/wait.sh"},
			},
			[]string{"1.1.0"},
		},
		"a relative script": {
			func() int {
				return run(t, func(c *exec.Cmd) { c.Dir = d.host(v1 + "/services/web") }, shell, "wait.sh")
			},
			[]look.Use{
				{Part: look.Program, Path: shell},
				{Part: look.Directory, Version: "1.1.0", Path: v1 + "/services/web"},
				{Part: look.Script, Version: "1.1.0", Path: v1 + "/services/web/wait.sh"},
				{Part: look.Open, Version: "1.1.0", Path: v1 + "/services/web/wait.sh"},
			},
			[]string{"1.1.0"},
		},
		"a search path": {
			func() int {
				return run(t, func(c *exec.Cmd) {
					c.Env = []string{"PYTHONPATH=/nothing:" + d.host("/opt/tope/versions/current/services"), "OTHER=" + d.host(v0)}
				}, shell, d.host("plain.sh"))
			},
			[]look.Use{
				{Part: look.Program, Path: shell},
				{Part: look.Script, Path: "/plain.sh"},
				{Part: look.Argument, Version: "1.1.0", Path: v1 + "/services"},
			},
			[]string{"1.1.0"},
		},
		"nothing of a version": {
			func() int { return run(t, nil, shell, d.host("plain.sh")) },
			[]look.Use{{Part: look.Program, Path: shell}, {Part: look.Script, Path: "/plain.sh"}},
			nil,
		},
		"a directory of another version": {
			func() int {
				return run(t, func(c *exec.Cmd) { c.Dir = d.host(v0) }, d.host(v1+"/bin/napper"), "1000")
			},
			[]look.Use{{Part: look.Program, Version: "1.1.0", Path: v1 + "/bin/napper"}, {Part: look.Directory, Version: "1.0.0", Path: v0}},
			[]string{"1.0.0", "1.1.0"},
		},
		"an open file of a version, by an interpreter": {
			func() int {
				return run(t, func(c *exec.Cmd) { c.ExtraFiles = []*os.File{library} }, shell, "-c", waiting)
			},
			[]look.Use{{Part: look.Program, Path: shell}, {Part: look.Open, Version: "1.0.0", Path: v0 + "/bin/napper"}},
			[]string{"1.0.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pid := c.start()
			// A child has its parent's program until it executes its own, and a shell opens
			// its script when it runs.
			var found look.Origin
			require.Eventually(t, func() bool {
				var err error
				found, err = o.Of(t.Context(), &launcher{pids: []int{pid, 1 << 30}}, service.Service{Name: "web"})
				require.NoError(t, err)
				return len(found.Traces) == 1 && len(found.Traces[0].Uses) == len(c.want)
			}, 10*time.Second, time.Millisecond, "%+v", &found)
			require.ElementsMatch(t, c.want, found.Traces[0].Uses)
			require.Equal(t, c.versions, found.Versions())
			require.NoError(t, found.Traces[0].Hidden)
			require.Less(t, found.Traces[0].Age, 20*time.Second)
		})
	}
}

// A version that was removed, or whose file was replaced, is named by what it was.
func TestAProgramThatWasRemoved(t *testing.T) {
	d, o := origins(t)
	pid := run(t, nil, d.Path("1.0.0")+"/bin/napper", "1000")
	program := func() look.Use {
		found, err := o.Of(t.Context(), &launcher{pids: []int{pid}}, service.Service{})
		require.NoError(t, err)
		require.Len(t, found.Traces, 1)
		return found.Traces[0].Uses[0]
	}
	require.Eventually(t, func() bool { return program().Version == "1.0.0" }, 10*time.Second, time.Millisecond)
	require.False(t, program().Gone)
	trash, err := disk.Trash(d.Path("1.0.0"))
	require.NoError(t, err)
	require.Equal(t, look.Use{Part: look.Program, Version: "1.0.0", Path: d.root.Device(trash) + "/bin/napper", Gone: true}, program())
	require.NoError(t, disk.RemoveTree(trash))
	require.Equal(t, look.Use{Part: look.Program, Version: "1.0.0", Path: d.root.Device(trash) + "/bin/napper", Gone: true}, program())
}

// Without a process, what counts is what the unit would execute.
func TestWhatAUnitExecutes(t *testing.T) {
	d, o := origins(t)
	link := func(path, target string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(d.host(path)), 0o755))
		require.NoError(t, os.Symlink(target, d.host(path)))
	}
	d.file("/bin/sh", "")
	d.file("/usr/local/bin/plain", "")
	link("/usr/local/bin/api", "/opt/tope/versions/current/bin/api")
	link("/usr/local/bin/fixed", "../../../opt/tope/versions/v1.0.0/bin/api")
	link("/opt/tope/services/web", "../versions/current/services/web")
	link("/srv/versions", "/opt/tope/versions")
	for name, c := range map[string]struct {
		m        *launcher
		want     []look.Use
		versions []string
	}{
		"through current": {
			(&launcher{}).executes("/usr/local/bin/api"),
			[]look.Use{{Part: look.Program, Version: "1.1.0", Path: "/opt/tope/versions/v1.1.0/bin/api"}},
			[]string{"1.1.0"},
		},
		"a fixed link": {
			(&launcher{}).executes("/usr/local/bin/fixed"),
			[]look.Use{{Part: look.Program, Version: "1.0.0", Path: "/opt/tope/versions/v1.0.0/bin/api"}},
			[]string{"1.0.0"},
		},
		"a plain file": {(&launcher{}).executes("/usr/local/bin/plain"), []look.Use{{Part: look.Program, Path: "/usr/local/bin/plain"}}, nil},
		"a path to no file": {
			(&launcher{}).executes("/srv/versions/current/bin/none"),
			[]look.Use{{Part: look.Program, Version: "1.1.0", Path: "/opt/tope/versions/v1.1.0/bin/none", Gone: true}},
			[]string{"1.1.0"},
		},
		"a script, and its directory": {
			(&launcher{launch: service.Launch{Dir: "/opt/tope/services/web"}}).executes("sh", "-c", "run"),
			[]look.Use{
				{Part: look.Directory, Version: "1.1.0", Path: "/opt/tope/versions/v1.1.0/services/web"},
				{Part: look.Program, Path: "/bin/sh"},
				{Part: look.Script, Version: "1.1.0", Path: "/opt/tope/versions/v1.1.0/services/web/run"},
			},
			[]string{"1.1.0"},
		},
		"a root of its own": {
			(&launcher{launch: service.Launch{RootDir: "/opt/tope/services/web"}}).executes("/run"),
			[]look.Use{{Part: look.Program, Version: "1.1.0", Path: "/opt/tope/versions/v1.1.0/services/web/run"}},
			[]string{"1.1.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := o.Of(t.Context(), c.m, service.Service{})
			require.NoError(t, err)
			require.NoError(t, found.Hidden)
			if name == "a root of its own" {
				found.Unit = found.Unit[len(found.Unit)-1:] // its working directory is its root
			}
			require.Equal(t, c.want, found.Unit)
			require.Equal(t, c.versions, found.Versions())
		})
	}
	found, err := o.Of(t.Context(), (&launcher{launch: service.Launch{Image: "/x.raw"}}).executes("/run"), service.Service{})
	require.NoError(t, err)
	require.ErrorContains(t, found.Hidden, "disk image /x.raw")
	found, err = o.Of(t.Context(), &launcher{launch: service.Launch{RootDir: "/none"}}, service.Service{})
	require.NoError(t, err)
	require.Error(t, found.Hidden)
}
