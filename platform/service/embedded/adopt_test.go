package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/embedded"
)

// updaterEnv makes this test program play an updater on the run directory it names.
const updaterEnv = "TOPE_TEST_UPDATER"

// playUpdater restarts the service "api" until it is killed, and prints a line each
// time.
func playUpdater(dir string) {
	m, err := embedded.New(embedded.Config{RunDir: dir})
	if err != nil {
		panic(err)
	}
	for {
		if err := m.Restart(context.Background(), sleeper); err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString("restarted\n")
	}
}

var sleeper = shell("api", "exec sleep 1000")

func (b *bench) edit(name string, change func(map[string]any)) {
	b.t.Helper()
	path := filepath.Join(b.dir, name+".json")
	data, err := os.ReadFile(path)
	require.NoError(b.t, err)
	var state map[string]any
	require.NoError(b.t, json.Unmarshal(data, &state))
	change(state)
	data, err = json.Marshal(state)
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(path, data, 0o644))
}

// Each case is a state file as a killed updater, or a power cut, may leave it,
// while the process that the updater started runs on.
func TestARunningProcessIsFoundAgain(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, state string){
		"the state file is whole": func(*bench, string) {},
		"killed between fork and state file": func(b *bench, _ string) {
			b.edit("api", func(s map[string]any) {
				delete(s, "pid")
				delete(s, "ticks")
				s["forking"], s["active"], s["sub"] = true, "activating", "start"
			})
		},
		"the state file is gone":      func(_ *bench, state string) { require.NoError(t, os.Remove(state)) },
		"the state file is empty":     func(_ *bench, state string) { require.NoError(t, os.Truncate(state, 0)) },
		"the state file is zeros":     func(_ *bench, state string) { require.NoError(t, os.WriteFile(state, make([]byte, 99), 0o644)) },
		"the state file is of before": func(b *bench, _ string) { b.edit("api", func(s map[string]any) { s["pid"], s["ticks"] = 1, 1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := b.start(sleeper)
			require.NoError(t, b.m.Close())
			spoil(b, filepath.Join(b.dir, "api.json"))
			b.open()
			found := b.status(sleeper)
			require.Equal(t, first.MainPID, found.MainPID)
			require.Equal(t, service.Running, found.Active)
			require.InDelta(t, first.Started, found.Started, float64(100*time.Millisecond))
			require.NoError(t, b.m.Supervise(t.Context(), []service.Service{sleeper}))
			require.Equal(t, []int{first.MainPID}, b.processes("api"))
			// It is supervised like any other from now on.
			require.NoError(t, unix.Kill(first.MainPID, unix.SIGKILL))
			b.eventually("not restarted", func() bool { return b.status(sleeper).Restarts == 1 && b.status(sleeper).MainPID != 0 })
		})
	}
}

// An updater that is killed at any instant of starting and stopping leaves at
// most one main process, and the next one knows it.
func TestAnUpdaterKilledAtAnyTimeNeverLeavesTwo(t *testing.T) {
	b := newBench(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), updaterEnv+"="+b.dir)
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewReader(out)
		_, err = lines.ReadString('\n')
		require.NoError(t, err)
		drained := make(chan struct{})
		go func() { _, _ = io.Copy(io.Discard, lines); close(drained) }()
		time.Sleep(time.Duration(random.IntN(12000)) * time.Microsecond) // Not a synchronisation: any instant will do.
		require.NoError(t, unix.Kill(-cmd.Process.Pid, unix.SIGKILL))
		<-drained
		_ = cmd.Wait()

		b.open()
		require.NoError(t, b.m.Supervise(t.Context(), []service.Service{sleeper}))
		// The process that is found may have been told to end already; it is then
		// replaced.
		most := 0
		b.eventually("not exactly the one that is known", func() bool {
			pids, st := b.processes("api"), b.status(sleeper)
			most = max(most, len(pids))
			return len(pids) == 1 && pids[0] == st.MainPID && st.Active == service.Running
		})
		require.Equal(t, 1, most)
		require.NoError(t, b.m.Close())
	}
	b.open()
	require.NoError(t, b.m.Stop(t.Context(), sleeper))
	require.Empty(t, b.processes(""))
}

func TestAProcessIdThatWasGivenAwayIsLeftAlone(t *testing.T) {
	stranger := exec.Command("sleep", "1000")
	stranger.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	require.NoError(t, stranger.Start())
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	b := newBench(t)
	b.start(sleeper)
	require.NoError(t, b.m.Stop(t.Context(), sleeper))
	require.NoError(t, b.m.Close())
	b.edit("api", func(s map[string]any) {
		s["pid"], s["ticks"], s["wanted"], s["active"], s["sub"] = stranger.Process.Pid, 7, true, "active", "running"
	})
	b.open()
	st := b.status(sleeper)
	require.Equal(t, service.Broken, st.Active)
	require.Equal(t, -1, st.ExitStatus, "nobody was there to be told how it ended")
	require.NoError(t, b.m.Restart(t.Context(), sleeper))
	require.NoError(t, b.m.Stop(t.Context(), sleeper))
	require.NoError(t, unix.Kill(stranger.Process.Pid, 0), "the stranger must live")
}

func TestSuperviseStartsWhatIsWanted(t *testing.T) {
	api, web := shell("api", "exec sleep 1000"), shell("web", "exec sleep 1000")
	web.After = []string{"api"}
	both := []service.Service{web, api}
	c := clocktest.New()
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "run")}
	open := func() {
		m, err := embedded.New(embedded.Config{RunDir: b.dir, Clock: c})
		require.NoError(t, err)
		b.m = m
	}
	open()

	require.NoError(t, b.m.Supervise(t.Context(), both))
	require.Equal(t, service.Running, b.status(api).Active, "at a boot everything is started")
	require.Less(t, b.status(api).MainPID, b.status(web).MainPID, "in order")
	require.Zero(t, b.status(api).Restarts)

	require.NoError(t, b.m.Supervise(t.Context(), both))
	pid := b.status(web).MainPID
	require.NoError(t, b.m.Stop(t.Context(), api))
	require.NoError(t, b.m.Close())
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	_, err := unix.Wait4(pid, nil, 0, nil)
	require.NoError(t, err)
	open()
	require.Equal(t, service.Broken, b.status(web).Active, "nobody restarts while no manager is open")
	require.NoError(t, b.m.Supervise(t.Context(), both))
	require.Equal(t, service.Stopped, b.status(api).Active, "what was stopped stays stopped")
	require.Equal(t, service.Running, b.status(web).Active)
	require.Equal(t, 1, b.status(web).Restarts, "a death that nobody saw counts")

	require.NoError(t, b.m.Stop(t.Context(), web))
	require.NoError(t, b.m.Close())
	c.Reboot()
	open()
	require.NoError(t, b.m.Supervise(t.Context(), both))
	for _, s := range both {
		require.Equal(t, service.Running, b.status(s).Active, "a boot starts everything, whatever was asked before")
		require.NoError(t, b.m.Stop(t.Context(), s))
	}
	require.NoError(t, b.m.Close())
}

func TestSuperviseGoesOnAfterAServiceThatCannotStart(t *testing.T) {
	b := newBench(t)
	gone := service.Service{Name: "gone", Exec: []string{"/nonexistent/program"}}
	err := b.m.Supervise(t.Context(), []service.Service{gone, sleeper})
	require.ErrorIs(t, err, service.ErrFailed)
	require.ErrorContains(t, err, "start gone")
	require.Equal(t, service.Running, b.status(sleeper).Active)
	cycle := []service.Service{{Name: "a", After: []string{"a"}}}
	require.ErrorIs(t, b.m.Supervise(t.Context(), cycle), service.ErrCycle)
}

// Between fork and exec a child has the log, with its lock, but not yet the
// environment it is known by.
func TestAChildThatHasNotBeenExecutedYetIsWaitedFor(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.MkdirAll(b.dir, 0o755))
	out, err := os.OpenFile(filepath.Join(b.dir, "api.log"), os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(out.Fd()), unix.LOCK_EX))
	in, child, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "read go; exec env TOPE_SERVICE=api@"+b.dir+" sleep 1000")
	cmd.Stdin, cmd.Stdout, cmd.SysProcAttr = in, out, &unix.SysProcAttr{Setsid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.NoError(t, out.Close())
	b.start(shell("other", "exec sleep 1000")) // Makes a state file to begin with.
	require.NoError(t, b.m.Close())
	require.NoError(t, os.Rename(filepath.Join(b.dir, "other.json"), filepath.Join(b.dir, "api.json")))
	b.edit("api", func(s map[string]any) {
		delete(s, "pid")
		delete(s, "ticks")
		s["forking"], s["active"] = true, "activating"
	})
	b.open()
	found := make(chan service.Status)
	go func() {
		st, _ := b.m.Status(t.Context(), sleeper)
		found <- st
	}()
	_, err = child.WriteString("go\n")
	require.NoError(t, err)
	require.Equal(t, cmd.Process.Pid, (<-found).MainPID)
}
