package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/embedded"
	"github.com/tope/updater/platform/service/servicetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(updaterEnv); dir != "" {
		playUpdater(dir)
	}
	goleak.VerifyTestMain(m)
}

// shell is a service that runs a line of shell.
func shell(name, line string) service.Service {
	return service.Service{Name: name, Exec: []string{"/bin/sh", "-c", line}, StopTimeout: 10 * time.Second}
}

// bench is a run directory and the manager that is open on it.
type bench struct {
	t   *testing.T
	dir string
	m   *embedded.Manager
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "services")}
	b.open()
	t.Cleanup(func() {
		_ = b.m.Close()
		for _, pid := range b.processes("") {
			_ = unix.Kill(pid, unix.SIGKILL)
			// Children of this very process, whose manager was closed, remain as zombies.
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}
	})
	return b
}

func (b *bench) open() *embedded.Manager {
	m, err := embedded.New(embedded.Config{RunDir: b.dir})
	require.NoError(b.t, err)
	b.m = m
	return m
}

// again closes the manager and opens another, as when the updater is restarted.
func (b *bench) again() *embedded.Manager {
	require.NoError(b.t, b.m.Close())
	return b.open()
}

// processes are those that carry a service's marker; of all services for "".
func (b *bench) processes(name string) []int {
	var pids []int
	envs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(b.t, err)
	for _, path := range envs {
		env, _ := os.ReadFile(path)
		for v := range strings.SplitSeq(string(env), "\x00") {
			if strings.HasPrefix(v, "TOPE_SERVICE="+name) && strings.HasSuffix(v, "@"+b.dir) {
				pid, err := strconv.Atoi(strings.Split(path, "/")[2])
				require.NoError(b.t, err)
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (b *bench) status(s service.Service) service.Status {
	b.t.Helper()
	st, err := b.m.Status(b.t.Context(), s)
	require.NoError(b.t, err)
	return st
}

func (b *bench) start(s service.Service) service.Status {
	b.t.Helper()
	require.NoError(b.t, b.m.Start(b.t.Context(), s))
	return b.status(s)
}

func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	require.Eventually(b.t, ok, 20*time.Second, 5*time.Millisecond, what)
}

// wrote waits until the program has written a word: it is then past its set-up.
func (b *bench) wrote(s service.Service, word string) {
	b.t.Helper()
	b.eventually("no "+word+" in the log", func() bool {
		data, _ := os.ReadFile(filepath.Join(b.dir, s.Name+".log"))
		return strings.Contains(string(data), word)
	})
}

func TestConforms(t *testing.T) {
	servicetest.Conform(t, func(t *testing.T) servicetest.Subject {
		b := newBench(t)
		return servicetest.Subject{
			Manager: b.m, Clock: clock.System(),
			Good: shell("good", "exec sleep 1000"), Other: shell("other", "exec sleep 1000"),
			Bad: shell("bad", "exit 3"), Unknown: service.Service{Name: "nosuch"}, Inside: true,
			Kill:  func(t *testing.T, pid int) { require.NoError(t, unix.Kill(pid, unix.SIGKILL)) },
			Again: func(*testing.T) service.Manager { return b.again() },
		}
	})
}

func TestEveryServiceHasASessionOfItsOwnAndKnowsNothingOfOurSupervisor(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/somewhere")
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/ours")
	t.Setenv("KEPT", "yes")
	b := newBench(t)
	s := shell("api", `echo "notify=$NOTIFY_SOCKET listen=$LISTEN_FDS credentials=$CREDENTIALS_DIRECTORY kept=$KEPT marker=$TOPE_SERVICE"; ls -l /proc/self/fd | wc -l; exec sleep 1000`)
	st := b.start(s)
	session, err := unix.Getsid(st.MainPID)
	require.NoError(t, err)
	require.Equal(t, st.MainPID, session)
	b.wrote(s, fmt.Sprintf("notify= listen= credentials= kept=yes marker=api@%s\n", b.dir))
}

func TestNothingOfAServiceIsLeftAfterStop(t *testing.T) {
	for name, line := range map[string]string{
		"children":                           `sleep 1000 & sleep 1000 & echo up; wait`,
		"children of a parent that went":     `(sleep 1000 &) ; echo up; exec sleep 1000`,
		"children in a session of their own": `setsid sleep 1000 & echo up; wait`,
		"children that ignore SIGTERM":       `(trap "" TERM; while :; do sleep 0.05; done) & echo up; exec sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := shell("api", line)
			s.StopTimeout = 300 * time.Millisecond
			b.start(s)
			b.wrote(s, "up")
			require.NoError(t, b.m.Stop(t.Context(), s))
			require.Empty(t, b.processes("api"))
		})
	}
}

func TestAProgramThatIgnoresSIGTERMIsKilled(t *testing.T) {
	b := newBench(t)
	s := shell("api", `trap "" TERM; echo up; while :; do sleep 0.05; done`)
	s.StopTimeout = 200 * time.Millisecond
	b.start(s)
	b.wrote(s, "up")
	require.NoError(t, b.m.Stop(t.Context(), s))
	st := b.status(s)
	require.Equal(t, service.Broken, st.Active)
	require.Equal(t, "timeout", st.Result)
	require.Empty(t, b.processes("api"))
	require.NoError(t, b.m.Restart(t.Context(), s))
	require.Equal(t, service.Running, b.status(s).Active)
}

func TestWhatADeadProgramLeavesGoesBeforeItIsRestarted(t *testing.T) {
	b := newBench(t)
	s := shell("api", `sleep 1000 & echo up; exec sleep 1000`)
	s.StopTimeout = time.Second
	first := b.start(s)
	b.wrote(s, "up")
	require.NoError(t, unix.Kill(first.MainPID, unix.SIGKILL))
	b.eventually("not restarted", func() bool { return b.status(s).Restarts == 1 && b.status(s).MainPID != 0 })
	b.eventually("not one of each", func() bool { return len(b.processes("api")) == 2 })
	require.Equal(t, "success", b.status(s).Result)
}

func TestAProgramThatCannotBeExecuted(t *testing.T) {
	b := newBench(t)
	s := service.Service{Name: "api", Exec: []string{filepath.Join(b.dir, "nothing")}}
	err := b.m.Start(t.Context(), s)
	require.ErrorIs(t, err, service.ErrFailed)
	require.ErrorContains(t, err, "/nothing: no such file or directory")
	b.eventually("not broken", func() bool { return b.status(s).Active == service.Broken })
	st := b.status(s)
	require.Equal(t, 203, st.ExitStatus)
	require.Equal(t, "start-limit-hit", st.Result)
}

func TestCommandsAreResolvedBelowTheRoot(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "program"), []byte("#!/bin/sh\necho \"given $1 $2\"\nexec sleep 1000\n"), 0o755))
	b := &bench{t: t, dir: filepath.Join(root, "run")}
	m, err := embedded.New(embedded.Config{RunDir: b.dir, Resolve: func(device string) (string, error) { return root + device, nil }})
	require.NoError(t, err)
	b.m = m
	s := service.Service{Name: "api", Exec: []string{"/program", "/etc/conf", "word"}}
	b.start(s)
	b.wrote(s, "given "+root+"/etc/conf word")
	require.NoError(t, m.Stop(t.Context(), s))
	require.NoError(t, m.Close())
}

func TestTheLogOfTheRunBeforeIsKept(t *testing.T) {
	b := newBench(t)
	first := shell("api", "echo first; exec sleep 1000")
	b.start(first)
	b.wrote(first, "first")
	second := shell("api", "echo second; exec sleep 1000")
	require.NoError(t, b.m.Restart(t.Context(), second))
	b.wrote(second, "second")
	log, err := os.ReadFile(filepath.Join(b.dir, "api.log"))
	require.NoError(t, err)
	require.Equal(t, "second\n", string(log))
	old, err := os.ReadFile(filepath.Join(b.dir, "api.log.old"))
	require.NoError(t, err)
	require.Equal(t, "first\n", string(old))
}

func TestANameThatCannotBeAFile(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a\x00b"} {
		require.ErrorIs(t, b.m.Start(t.Context(), shell(name, "exit 0")), service.ErrNotFound, "%q", name)
	}
}

func TestAClosedManagerSaysSo(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.m.Close())
	require.NoError(t, b.m.Close())
	require.ErrorIs(t, b.m.Start(t.Context(), shell("api", "exit 0")), service.ErrUnavailable)
	_, err := b.m.Status(t.Context(), shell("api", "exit 0"))
	require.ErrorIs(t, err, service.ErrUnavailable)
}

func TestTheEndOfALog(t *testing.T) {
	dir := t.TempDir()
	m, err := embedded.New(embedded.Config{RunDir: dir, Resolve: func(p string) (string, error) { return p, nil }})
	require.NoError(t, err)
	defer m.Close()
	s := service.Service{Name: "chatty"}
	for text, want := range map[string][]string{
		"":                                nil,
		"\n\n":                            nil,
		"one":                             {"one"},
		"one\ntwo\nthree\n":               {"two", "three"},
		strings.Repeat("x", 1<<20) + "\n": nil,
		strings.Repeat("x", 1<<20) + "\nlast words\n": {"last words"},
	} {
		require.NoError(t, os.WriteFile(m.LogOf(s), []byte(text), 0o600))
		lines, err := m.Tail(t.Context(), s, 0, 2)
		require.NoError(t, err)
		var got []string
		for _, line := range lines {
			got = append(got, line.Text)
			require.False(t, line.About)
		}
		require.Equal(t, want, got, "%.20q", text)
	}
}
