package command_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/command"
)

func TestWhatAFailedCommandPrinted(t *testing.T) {
	out, err := command.Run(t.Context(), "", "/bin/sh", "-c", "echo first; seq 10000; echo last words; exit 7")
	require.ErrorContains(t, err, "exit status 7: last words")
	require.NotContains(t, err.Error(), "9999")
	require.True(t, strings.HasPrefix(out, "first\n1\n2\n"), "the beginning")
	require.True(t, strings.HasSuffix(out, "\n10000\nlast words"), "and the end")
	require.Contains(t, out, "\n...\n")
	require.Less(t, len(out), 2100)
	failed := new(command.Error)
	require.ErrorAs(t, err, &failed)
	require.Contains(t, failed.Details(), "\n  10000\n  last words")

	out, err = command.Run(t.Context(), "", "/bin/echo", "fine")
	require.NoError(t, err)
	require.Equal(t, "fine", out)
	_, err = command.Run(t.Context(), "", "/bin/false")
	require.EqualError(t, err, "/bin/false: exit status 1")
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.Details())
}

// A release's programs have links in /usr/local/bin: they must not stand in for the system's.
func TestACommandFindsTheSystemsProgramsFirst(t *testing.T) {
	out, err := command.Run(t.Context(), "", "/bin/sh", "-c", "echo $PATH")
	require.NoError(t, err)
	require.Equal(t, "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", out)
}

func TestStdoutIsAnAnswerAndStderrIsNot(t *testing.T) {
	out, err := command.Stdout(t.Context(), "/bin/sh", "-c", "echo complaint >&2; pwd; exit 1")
	require.Equal(t, "/", out)
	require.EqualError(t, err, "/bin/sh -c echo complaint >&2; pwd; exit 1: exit status 1: complaint")
	_, err = command.Stdout(t.Context())
	require.EqualError(t, err, "no command")
}

// TestTheEndOfTheContextEndsTheGroup: not the command alone, whose children may be what
// takes so long.
func TestTheEndOfTheContextEndsTheGroup(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "started")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	child := make(chan string, 1)
	go func() {
		text, _ := os.ReadFile(fifo)
		child <- strings.TrimSpace(string(text))
		cancel()
	}()
	_, err := command.Run(ctx, "", "/bin/sh", "-c", "sleep 1000 & echo $! >"+fifo+"; wait")
	require.ErrorContains(t, err, "signal: killed")
	stat := filepath.Join("/proc", <-child, "stat")
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(stat)
		return err != nil || strings.Contains(string(text), ") Z ")
	}, 10*time.Second, time.Millisecond)
}
