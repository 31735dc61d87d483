//go:build linux && amd64

package trace_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/toy"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/platform/roottest"
)

func TestMain(m *testing.M) {
	trace.Stub()
	toy.Main()
	os.Exit(m.Run())
}

// device is a directory with the toy's old file in it.
func device(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, toy.File), []byte(toy.Old), 0o644))
	return dir
}

func command(t *testing.T, dir string, bugs ...string) trace.Command {
	exe, err := os.Executable()
	require.NoError(t, err)
	return trace.Command{Args: append([]string{exe, toy.Arg, dir}, bugs...), Env: trace.Environ(toy.Env)}
}

// calls lists every call the toy makes, by name.
func calls(t *testing.T, cfg trace.Config, c trace.Command, verdict func(name string, c *trace.Call) trace.Verdict) ([]string, int, error) {
	var names []string
	var namer trace.Namer
	cfg.Handler = func(c *trace.Call) trace.Verdict {
		if c.Said {
			names = append(names, c.String())
			return trace.Verdict{}
		}
		name := namer.Name(c)
		names = append(names, name)
		if verdict == nil {
			return trace.Verdict{}
		}
		return verdict(name, c)
	}
	exit, err := trace.Watch(context.Background(), cfg, c)
	return names, exit, err
}

func TestCallsAreNamedInOrder(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	dir := device(t)
	names, exit, err := calls(t, trace.Config{Dir: dir}, command(t, dir), nil)
	require.NoError(t, err)
	require.Zero(t, exit)
	require.Equal(t, []string{
		"create settings.tmp #1", "write settings.tmp #1", "fsync settings.tmp #1", "rename settings #1", "fsync . #1",
	}, names)
}

func TestWhatIsSaidHasItsPlaceInTheOrder(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	dir := device(t)
	out := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(out, nil, 0o600))
	c := command(t, dir)
	c.Stdout = out
	names, _, err := calls(t, trace.Config{Dir: dir, Says: true}, c, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"fsync . #1", `say "replaced\n"`}, names[4:])
}

func TestPowerCut(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	for _, tc := range []struct {
		at      string
		torn    bool
		tmp     int // bytes in the temporary file, -1 for none
		renamed bool
	}{
		{at: "create settings.tmp #1", tmp: -1},
		{at: "write settings.tmp #1", tmp: 0},
		{at: "write settings.tmp #1", torn: true, tmp: len(toy.New()) / 2},
		{at: "rename settings #1", tmp: len(toy.New())},
		{at: "fsync . #1", tmp: -1, renamed: true},
	} {
		t.Run(tc.at, func(t *testing.T) {
			dir := device(t)
			_, _, err := calls(t, trace.Config{Dir: dir}, command(t, dir), func(name string, _ *trace.Call) trace.Verdict {
				return trace.Verdict{Cut: name == tc.at, Torn: tc.torn}
			})
			require.ErrorIs(t, err, trace.ErrPower)
			b, err := os.ReadFile(filepath.Join(dir, toy.File))
			require.NoError(t, err)
			if tc.renamed {
				require.Equal(t, toy.New(), string(b))
			} else {
				require.Equal(t, toy.Old, string(b))
			}
			b, err = os.ReadFile(filepath.Join(dir, toy.File+".tmp"))
			if tc.tmp < 0 {
				require.ErrorIs(t, err, os.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.Len(t, b, tc.tmp)
		})
	}
}

func TestErrnoReachesTheProgram(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	dir := device(t)
	_, exit, err := calls(t, trace.Config{Dir: dir}, command(t, dir), func(name string, _ *trace.Call) trace.Verdict {
		if name == "fsync settings.tmp #1" {
			return trace.Verdict{Errno: unix.ENOSPC}
		}
		return trace.Verdict{}
	})
	require.NoError(t, err)
	require.Equal(t, 1, exit)
}

func TestRecordingHasTheBytes(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	dir := device(t)
	var data []byte
	_, _, err := calls(t, trace.Config{Dir: dir, Record: true}, command(t, dir), func(_ string, c *trace.Call) trace.Verdict {
		data = append(data, c.Data...)
		return trace.Verdict{}
	})
	require.NoError(t, err)
	require.Equal(t, toy.New(), string(data))
}

func TestEachBootIsAnother(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	first, err := trace.Boot(trace.Config{})
	require.NoError(t, err)
	first.Off()
	second, err := trace.Boot(trace.Config{NotTick: first.Tick()})
	require.NoError(t, err)
	defer second.Off()
	require.NotEqual(t, first.Tick(), second.Tick())
}

func TestOffEndsEverything(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	m, err := trace.Boot(trace.Config{})
	require.NoError(t, err)
	defer m.Off()
	out := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(out, nil, 0o600))
	sh := func(script string) trace.Command {
		return trace.Command{Args: []string{"sh", "-c", script}, Env: trace.Environ(toy.Env), Stdout: out}
	}
	exit, err := m.Run(context.Background(), sh(`sleep 1000 & exit 3`))
	require.NoError(t, err)
	require.Equal(t, 3, exit)
	require.NoError(t, m.KillAll(context.Background()))
	_, err = m.Run(context.Background(), sh(`ls -d /proc/[0-9]* | wc -l`))
	require.NoError(t, err)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	// PID 1 and the three processes of the pipeline at most.
	require.Contains(t, []string{"3\n", "4\n"}, string(b))
}

func TestTimeoutCutsThePower(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	ctx, cancel := context.WithCancel(context.Background())
	m, err := trace.Boot(trace.Config{})
	require.NoError(t, err)
	defer m.Off()
	cancel()
	_, err = m.Run(ctx, trace.Command{Args: []string{"sleep", "1000"}, Env: trace.Environ(toy.Env)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestEachMachineHasItsOwnNetwork(t *testing.T) {
	roottest.Need(t, "a machine of its own")
	for range 2 { // at the same address, at the same time
		m, err := trace.Boot(trace.Config{Listen: "127.0.0.1:8099"})
		require.NoError(t, err)
		defer m.Off()
		go func() {
			c, err := m.Listener().Accept()
			if err == nil {
				_, _ = c.Write([]byte("hello\n"))
				_ = c.Close()
			}
		}()
		out := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.WriteFile(out, nil, 0o600))
		exit, err := m.Run(context.Background(), trace.Command{
			Args: []string{"bash", "-c", "cat < /dev/tcp/127.0.0.1/8099"}, Env: trace.Environ(toy.Env), Stdout: out,
		})
		require.NoError(t, err)
		require.Zero(t, exit)
		b, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, "hello\n", string(b))
	}
}
