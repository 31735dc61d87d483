package healthcheck_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/stepstest"
)

// real is the fake manager with processes that are really there.
type real struct {
	service.Manager
	launch service.Launch
	pids   []int
	// asked counts the looks at the processes. At look number leaves, all but the first
	// process have ended.
	asked, leaves int
}

func (r *real) Launch(context.Context, service.Service) (service.Launch, error) { return r.launch, nil }

func (r *real) Processes(context.Context, service.Service) ([]int, error) {
	if r.asked++; r.asked == r.leaves {
		r.pids = r.pids[:1]
	}
	return r.pids, nil
}

// ported is a bench whose versions 1.0.0 and 1.1.0 have a real program, 1.1.0 being the
// one that is judged, and whose service runs the program of a path.
type ported struct {
	*bench
	*real
	t *testing.T
	d *stepstest.Device
}

func newPorted(t *testing.T, edits ...func(*service.Service)) *ported {
	t.Helper()
	b := &ported{bench: newBench(t), t: t, d: stepstest.NewDevice(t, "")}
	sleep, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	for _, v := range []string{"1.0.0", "1.1.0"} {
		stepstest.Publish(t, b.d.Store, v, map[string]string{"bin/device-api": string(sleep), "services/api/run.sh": "read x\n"}, versions.Brought{})
	}
	require.NoError(t, b.d.Point(versions.Current, "1.1.0"))
	require.NoError(t, os.MkdirAll(b.d.Path("/usr/local/bin"), 0o755))
	b.real = &real{Manager: b.manager}
	svc := service.Service{Name: "device-api"}
	for _, edit := range edits {
		edit(&svc)
	}
	root, err := disk.NewRoot(b.d.Root)
	require.NoError(t, err)
	b.gate = healthcheck.New(healthcheck.Config{
		Manager: b.real, Services: []service.Service{svc}, Clock: b.clock, Versions: b.d.Store,
		Checks:  []health.Check{{Service: "device-api", Kind: health.Active, Stable: 1, Timeout: health7s}},
		Origins: &look.Origins{Root: root, Versions: b.d.Dir()},
	})
	return b
}

const health7s = 7_000_000_000

// executes sets the unit's command.
func (b *ported) executes(words ...string) *ported {
	b.launch = service.Launch{Commands: []service.Execution{{Phase: service.Main, Path: words[0], Args: words}}}
	return b
}

// runs adds a process, and returns when it executes its program.
func (b *ported) runs(dir, program string, args ...string) *ported {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), program, args...)
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, cmd.Start())
	b.t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	want, err := filepath.EvalSymlinks(program)
	require.NoError(b.t, err)
	require.Eventually(b.t, func() bool {
		exe, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "exe"))
		return exe == want
	}, 10*time.Second, time.Millisecond)
	b.pids = append(b.pids, cmd.Process.Pid)
	return b
}

func (b *ported) link(path, target string) *ported {
	require.NoError(b.t, os.Symlink(target, b.d.Path(path)))
	return b
}

const (
	place   = "/usr/local/bin/device-api"
	through = "/opt/tope/versions/current/bin/device-api"
	oldOne  = "/opt/tope/versions/v1.0.0/bin/device-api"
)

func TestAServiceRunsFromTheJudgedVersion(t *testing.T) {
	for name, make := range map[string]func(b *ported){
		"its program": func(b *ported) {
			b.link(place, through).executes(place).runs("", b.d.Store.Path("1.1.0")+"/bin/device-api", "1000")
		},
		"no process, its unit": func(b *ported) { b.link(place, through).executes(place) },
		"a script": func(b *ported) {
			script := "/opt/tope/versions/current/services/api/run.sh"
			b.executes("/bin/sh", script).runs("", "/bin/sh", b.d.Path(script))
		},
		"a working directory": func(b *ported) {
			b.executes("/bin/sh", "-c", "read x").runs(b.d.Store.Path("1.1.0")+"/services", "/bin/sh", "-c", "read x")
		},
		"a wrapper in the link's place": func(b *ported) {
			require.NoError(b.t, os.WriteFile(b.d.Path(place), []byte("#!/bin/sh\nexec "+through+"\n"), 0o755))
			b.executes(place).runs("", b.d.Store.Path("1.1.0")+"/bin/device-api", "1000")
		},
		"a script of the version that executes a program of the system": func(b *ported) {
			b.executes("/opt/tope/versions/current/services/api/run.sh").runs("", "/bin/sleep", "1000")
		},
		"a program of the system with a file that it does not keep open": func(b *ported) { // as nginx, which writes over its arguments, too
			b.executes("/bin/sleep", "-c", "/opt/tope/versions/current/services/api/run.sh").runs("", "/bin/sleep", "1000")
		},
		"a directory for an interpreter": func(b *ported) {
			b.runs("", "/bin/sh", "-c", "read x", b.d.Path("/opt/tope/versions/current/services"))
		},
		"a path in an option": func(b *ported) {
			b.runs("", "/bin/sh", "-c", "read x", "--chdir="+b.d.Path("/opt/tope/versions/current/services"))
		},
		"a path in a command": func(b *ported) {
			b.executes("/bin/sh", "-c", "cd /opt/tope/versions/current/services && read x; true").runs("", "/bin/sh", "-c", "read x")
		},
		"an interpreter of the system, and one in the version": func(b *ported) {
			require.NoError(b.t, os.Chmod(b.d.Store.Path("1.1.0")+"/bin", 0o755))
			require.NoError(b.t, os.WriteFile(b.d.Store.Path("1.1.0")+"/bin/sh", []byte("x"), 0o755))
			script := "/opt/tope/versions/current/services/api/run.sh"
			b.executes("/bin/sh", script).runs("", "/bin/sh", b.d.Path(script))
		},
		"an open file of another version": func(b *ported) {
			b.executes("/bin/sh", "-c", "x").runs(b.d.Store.Path("1.1.0"), "/bin/sh", "-c", "exec 3<"+b.d.Path(oldOne)+"; read x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPorted(t)
			make(b)
			var origin healthcheck.Result
			for _, r := range b.pass(t).Results {
				if r.Kind == healthcheck.Origin {
					origin = r
				}
			}
			require.True(t, origin.Passed, origin.Text)
			require.Equal(t, "device-api", origin.Service)
		})
	}
}

func TestAServiceThatRunsFromElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		make func(b *ported)
		says string
		// quick: there is nothing to wait for.
		quick bool
	}{
		"a link to another version": {
			func(b *ported) { b.link(place, oldOne).executes(place).runs("", b.d.Path(oldOne), "1000") },
			place + " leads to " + oldOne + ", of version 1.0.0 and not 1.1.0; make it lead through current", true,
		},
		"a plain file": {
			func(b *ported) {
				sleep, err := os.ReadFile("/bin/sleep")
				require.NoError(b.t, err)
				require.NoError(b.t, os.WriteFile(b.d.Path(place), sleep, 0o755))
				b.executes(place).runs(b.d.Store.Path("1.1.0"), b.d.Path(place), "1000")
			},
			place + " is a plain file, and not the bin/device-api of the version", true,
		},
		"a script in the link's place": {
			func(b *ported) {
				require.NoError(b.t, os.WriteFile(b.d.Path(place), []byte("#!/bin/sh\nread x\n"), 0o755))
				b.executes(place).runs(b.d.Store.Path("1.1.0"), "/bin/sh", b.d.Path(place))
			},
			place + " is a plain file", false,
		},
		"nothing of the version": {
			func(b *ported) { b.executes("/bin/sh", "-c", "read x").runs("", "/bin/sh", "-c", "read x") },
			"nothing that it runs is in version 1.1.0", false,
		},
		"a script of the version that executes what stands in for its program": {
			func(b *ported) {
				sleep, err := os.ReadFile("/bin/sleep")
				require.NoError(b.t, err)
				require.NoError(b.t, os.WriteFile(b.d.Path(place), sleep, 0o755))
				b.executes("/opt/tope/versions/current/services/api/run.sh").runs("", b.d.Path(place), "1000")
			},
			"nothing that it runs is in version 1.1.0", false,
		},
		"a program of the system from before the switch": {
			func(b *ported) {
				b.executes("/opt/tope/versions/current/services/api/run.sh").runs("", "/bin/sleep", "1000")
				b.task.Since.Mono += time.Hour
				b.manager.Set("device-api", func(s *service.Status) { s.Started = b.task.Since.Mono })
			},
			"nothing that it runs is in version 1.1.0", false,
		},
		"a link to nothing": {
			func(b *ported) { b.link(place, through+"-none").executes(place) },
			place + " leads to nothing, there is no /opt/tope/versions/v1.1.0/bin/device-api-none", true,
		},
		"a process of another version beside it": {
			func(b *ported) {
				b.link(place, through).executes(place).runs("", b.d.Store.Path("1.1.0")+"/bin/device-api", "1000").runs("", b.d.Path(oldOne), "1000")
			},
			"runs with the program " + oldOne, false,
		},
		"a process in a directory of another version": {
			func(b *ported) {
				b.link(place, through).executes(place).runs(b.d.Store.Path("1.0.0"), b.d.Store.Path("1.1.0")+"/bin/device-api", "1000")
			},
			"runs with the working directory /opt/tope/versions/v1.0.0", false,
		},
		"a unit with a script of another version": {
			func(b *ported) {
				b.executes("/bin/sh", "/opt/tope/versions/v1.0.0/services/api/run.sh").runs(b.d.Store.Path("1.1.0"), "/bin/sh", "-c", "read x")
				require.NoError(b.t, os.MkdirAll(b.d.Path("/bin"), 0o755))
				require.NoError(b.t, os.WriteFile(b.d.Path("/bin/sh"), nil, 0o755))
			},
			"its unit has the script /opt/tope/versions/v1.0.0/services/api/run.sh, of version 1.0.0", true,
		},
		"an interpreter from before the switch": {
			func(b *ported) {
				script := b.d.Path("/opt/tope/versions/current/services/api/run.sh")
				b.executes("/bin/sh", script).runs("", "/bin/sh", script)
				// The real process does not follow the fake clock: the switch is long after both.
				b.task.Since.Mono += time.Hour
				b.manager.Set("device-api", func(s *service.Status) { s.Started = b.task.Since.Mono })
			},
			"was started before the switch and still runs, with the script", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPorted(t)
			c.make(b)
			began := b.clock.Monotonic()
			text := stepstest.Fails(t, b.gate, b.task, steps.Local, steps.HealthFailed)
			require.Contains(t, text, "device-api: origin: ")
			require.Contains(t, text, c.says)
			if c.quick {
				require.Less(t, b.clock.Monotonic()-began, time.Second)
			} else {
				require.GreaterOrEqual(t, b.clock.Monotonic()-began, 7*time.Second, "the service's checks have as long")
			}
		})
	}
}

// A process that is ending is waited for.
func TestAProcessOfTheOldVersionThatEnds(t *testing.T) {
	b := newPorted(t)
	b.link(place, through).executes(place).runs("", b.d.Store.Path("1.1.0")+"/bin/device-api", "1000").runs("", b.d.Path(oldOne), "1000")
	b.leaves = 3
	b.pass(t)
	require.GreaterOrEqual(t, b.asked, 3)
}

func TestAServiceThatIsDeclaredToLieOutside(t *testing.T) {
	b := newPorted(t, func(s *service.Service) { s.OutsideVersions = true })
	b.executes("/bin/sh", "-c", "read x").runs("", "/bin/sh", "-c", "read x")
	require.Len(t, b.pass(t).Results, 1)
}

// On the way back the question is asked and told, and fails nothing: what does not follow
// the versions would not follow one further back either.
func TestTheBaselineAsksForTheOriginToo(t *testing.T) {
	for name, target := range map[string]string{"it followed the versions": through, "it did not": oldOne} {
		t.Run(name, func(t *testing.T) {
			b := newPorted(t)
			b.task.Before = versions.Pointers{Current: "1.1.0"}
			b.link(place, target).executes(place)
			var err error
			b.task.Baseline, err = b.gate.Baseline(t.Context(), b.task)
			require.NoError(t, err)
			var base healthcheck.Evidence
			require.NoError(t, json.Unmarshal(b.task.Baseline, &base))
			require.Equal(t, target == through, asked(t, base).Passed)
			b.task.Target, b.task.Back = b.task.Before, true
			require.NoError(t, os.Remove(b.d.Path(place)))
			b.link(place, oldOne)
			r := asked(t, b.pass(t))
			require.False(t, r.Passed)
			require.False(t, r.Needed)
			require.Contains(t, r.Text, "1.0.0")
		})
	}
}

// asked is the result of the question for the origin.
func asked(t *testing.T, ev healthcheck.Evidence) healthcheck.Result {
	t.Helper()
	i := slices.IndexFunc(ev.Results, func(r healthcheck.Result) bool { return r.Kind == healthcheck.Origin })
	require.GreaterOrEqual(t, i, 0)
	return ev.Results[i]
}
