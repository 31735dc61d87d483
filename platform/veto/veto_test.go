package veto_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/veto"
)

func shell(script string) veto.Program {
	return veto.Program{Command: []string{"/bin/sh", "-c", script}, Clock: clocktest.New()}
}

func TestTheExitStatusIsTheAnswer(t *testing.T) {
	for script, want := range map[string]struct {
		busy, free bool // where a failure counts as busy, and as free
		why        string
	}{
		"exit 0":                                        {},
		"echo nothing to do; exit 0":                    {},
		"echo printing page 3 of 9; exit 1":             {true, true, "printing page 3 of 9"},
		"echo noise >&2; echo a; echo b; false":         {true, true, "a"},
		"printf '\\n \\tone\\rtwo\\033[31m\\n'; exit 1": {true, true, "one two [31m"},
		"exit 1":                     {true, true, "/bin/sh says so"},
		"echo words; exit 2":         {true, false, "the veto command failed: /bin/sh: exit status 2"},
		"echo bad port >&2; exit 75": {true, false, "the veto command failed: /bin/sh: exit status 75: bad port"},
		"kill -9 $$":                 {true, false, "the veto command failed: /bin/sh: signal: killed"},
	} {
		p := shell(script)
		for failure, busy := range map[string]bool{"": want.busy, veto.Busy: want.busy, veto.Free: want.free} {
			p.Failure = failure
			got, why, err := p.Ask(t.Context())
			require.NoError(t, err)
			require.Equal(t, busy, got, "%s, failure %q", script, failure)
			require.Equal(t, want.why, why, script)
		}
	}
}

func TestAProgramThatCannotBeStarted(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("words"), 0o644))
	for path, want := range map[string]string{
		"/nowhere/busy": "the veto command failed: /nowhere/busy: cannot start it: no such file or directory",
		text:            "the veto command failed: " + text + ": cannot start it: permission denied",
	} {
		p := veto.Program{Command: []string{path, "--token", "s3cr3t"}, Clock: clocktest.New()}
		busy, why, err := p.Ask(t.Context())
		require.NoError(t, err)
		require.True(t, busy)
		require.Equal(t, want, why)
	}
}

func TestALongReasonIsShortened(t *testing.T) {
	for _, c := range []string{"x", "é", "忙", "🖨"} {
		_, why, err := shell("printf '" + strings.Repeat(c, 300) + "'; exit 1").Ask(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, len(why), 200)
		require.Greater(t, len(why), 190)
		require.Equal(t, strings.Repeat(c, strings.Count(why, c))+"...", why, "whole characters")
	}
}

// endless is a program that starts a child and waits. started gives the child's process,
// once it runs.
func endless(t *testing.T) (p veto.Program, started func() int) {
	fifo := filepath.Join(t.TempDir(), "started")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	p = shell("trap '' TERM; sleep 1000 & echo $! >" + fifo + "; wait; exit 1")
	return p, func() int {
		text, err := os.ReadFile(fifo)
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		return pid
	}
}

// gone waits for the end of a process: init reaps it, or nobody does.
func gone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 10*time.Second, time.Millisecond)
}

func TestAProgramThatTakesTooLongIsKilledWithItsChildren(t *testing.T) {
	p, started := endless(t)
	fake := clocktest.New()
	p.Clock, p.Timeout, p.Failure = fake, 7*time.Second, veto.Free
	var child int
	go func() {
		fake.Await(1)
		child = started()
		fake.Advance(7 * time.Second)
	}()
	busy, why, err := p.Ask(t.Context())
	require.NoError(t, err)
	require.False(t, busy)
	require.Equal(t, "the veto command failed: no answer within 7s", why)
	gone(t, child)
}

// A program may leave children behind, which hold its output: they end with it.
func TestNothingIsLeftBehind(t *testing.T) {
	for status, want := range map[string]bool{"0": false, "1": true} {
		pid := filepath.Join(t.TempDir(), "pid")
		busy, _, err := shell("sleep 1000 & echo $! >" + pid + "; exit " + status).Ask(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, busy)
		text, err := os.ReadFile(pid)
		require.NoError(t, err)
		child, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		gone(t, child)
	}
}

// A child that leaves the group stays. The program's own word counts all the same.
func TestAChildThatLeavesTheGroup(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	busy, why, err := shell("setsid sh -c 'echo $$ >" + pid + "; exec sleep 1000' & while ! test -s " + pid + "; do :; done").Ask(t.Context())
	text, readErr := os.ReadFile(pid)
	require.NoError(t, readErr)
	child, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, convErr)
	require.NoError(t, unix.Kill(child, unix.SIGKILL))
	require.NoError(t, err)
	require.False(t, busy, why)
}

// A daemon that stops learns nothing of the device.
func TestTheEndOfTheCallerIsNotAnAnswer(t *testing.T) {
	p, started := endless(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopping := errors.New("the daemon stops")
	var child int
	go func() {
		child = started()
		cancel(stopping)
	}()
	busy, why, err := p.Ask(ctx)
	require.ErrorIs(t, err, stopping)
	require.False(t, busy)
	require.Empty(t, why)
	gone(t, child)
	_, _, err = p.Ask(ctx)
	require.ErrorIs(t, err, stopping)
}

// It does not inherit what the daemon knows, and gets no shell.
func TestItRunsClean(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
	p := shell("")
	p.Command = []string{"/bin/sh", "-c", `test -z "$CREDENTIALS_DIRECTORY" && test "$(pwd)" = / && test "$0" = '$HOME; *'`, "$HOME; *"}
	busy, why, err := p.Ask(t.Context())
	require.NoError(t, err)
	require.False(t, busy, why)
}

func TestValidate(t *testing.T) {
	require.NoError(t, veto.Validate([]string{"/usr/bin/busy", "--quick"}))
	for _, argv := range [][]string{nil, {""}, {"busy"}, {"bin/busy"}, {"/usr/bin/"}, {"/bin/x", "a\x00b"}} {
		require.ErrorContains(t, veto.Validate(argv), `; write a list that begins with an absolute path, like ["/usr/bin/true"]`)
	}
}
