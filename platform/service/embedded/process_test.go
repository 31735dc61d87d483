package embedded

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/clock/clocktest"
)

// Kernels before Linux 5.3 have no pidfd.
func TestWithoutAPidfdTheProcessIsAskedForAgainAndAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(p *process)
		gone bool
	}{
		{"it exits", func(p *process) { require.NoError(t, unix.Kill(p.pid, unix.SIGKILL)) }, true},
		{"it is released", func(p *process) { p.release() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("sleep", "1000")
			require.NoError(t, cmd.Start())
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			p, err := watchProcess(cmd.Process.Pid, 0, true)
			require.NoError(t, err)
			if p.fd != nil {
				require.NoError(t, p.fd.Close())
				p.fd = nil
			}
			fake := clocktest.New()
			gone := make(chan bool)
			go func() { gone <- p.wait(fake) }()
			fake.Await(1)
			c.end(p)
			require.Eventually(t, func() bool { return c.gone != p.alive() }, 10*time.Second, time.Millisecond)
			fake.Advance(time.Second)
			require.Equal(t, c.gone, <-gone)
		})
	}
}

func TestAStartTimeIsPartOfTheName(t *testing.T) {
	self, err := readStat(os.Getpid())
	require.NoError(t, err)
	p, err := watchProcess(os.Getpid(), self.ticks, false)
	require.NoError(t, err)
	p.release()
	_, err = watchProcess(os.Getpid(), self.ticks+1, false)
	require.ErrorIs(t, err, errGone)
	_, err = watchProcess(1<<30, 1, false)
	require.ErrorIs(t, err, errGone)
}

func TestMarkersAreWholeVariables(t *testing.T) {
	env := []byte("A=1\x00TOPE_SERVICE=api@/run/a\x00B=2\x00")
	for marker, found := range map[string]bool{
		"TOPE_SERVICE=api@/run/a": true, "A=1": true, "B=2": true,
		"TOPE_SERVICE=api@/run/": false, "ERVICE=api@/run/a": false, "TOPE_SERVICE=web@/run/a": false,
	} {
		require.Equal(t, found, holds(env, append([]byte(marker), 0)), marker)
	}
}

func TestALogInUseByAStrangerIsPutAside(t *testing.T) {
	path := t.TempDir() + "/api.log"
	first, err := openOutput(path, false)
	require.NoError(t, err)
	require.True(t, outputHeld(path))
	second, err := openOutput(path, false)
	require.NoError(t, err)
	require.True(t, outputHeld(path))
	require.NoError(t, first.Close())
	require.True(t, outputHeld(path), "the second has a lock of its own")
	require.NoError(t, second.Close())
	require.False(t, outputHeld(path))
}

func TestALogIsKeptWithinBounds(t *testing.T) {
	path := t.TempDir() + "/api.log"
	f, err := openOutput(path, true)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	require.NoError(t, f.Truncate(logLimit+1))
	trim(path)
	_, err = f.WriteString("goes on")
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "goes on", string(data))
	trim(path)
	require.FileExists(t, path)
}
