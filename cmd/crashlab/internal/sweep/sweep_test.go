//go:build linux && amd64

package sweep_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/cmd/crashlab/internal/toy"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/platform/roottest"
)

func TestMain(m *testing.M) {
	trace.Stub()
	toy.Main()
	os.Exit(m.Run())
}

// toyBench is a device that consists of the toy's directory. It recovers by
// running the toy again.
type toyBench struct {
	t    *testing.T
	dir  string
	bugs []string
}

func newToy(t *testing.T, bugs ...string) []sweep.Bench {
	roottest.Need(t, "a machine of its own")
	var benches []sweep.Bench
	// In memory, as the laboratory is: there, no inode gets the number of one that is gone,
	// and the model knows inodes by their numbers.
	dir, err := os.MkdirTemp("/dev/shm", "sweep-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	for n := range 2 {
		benches = append(benches, &toyBench{t, filepath.Join(dir, strconv.Itoa(n)), bugs})
	}
	return benches
}

func (b *toyBench) Root() string              { return b.dir }
func (b *toyBench) Class(p string) string     { return p }
func (b *toyBench) Volatile(string) bool      { return false }
func (b *toyBench) Promises(said []byte) bool { return strings.Contains(string(said), "replaced") }

func (b *toyBench) Reset(from string) error {
	if err := sweep.RemoveTree(b.dir); err != nil {
		return err
	}
	if from != "" {
		return sweep.CopyTree(from, b.dir)
	}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, toy.File), []byte(toy.Old), 0o644)
}

func (b *toyBench) Act(ctx context.Context, w sweep.Watch) (sweep.Story, error) {
	exe, err := os.Executable()
	require.NoError(b.t, err)
	out := filepath.Join(b.t.TempDir(), "out")
	require.NoError(b.t, os.WriteFile(out, nil, 0o600))
	exit, err := trace.Watch(ctx, trace.Config{Dir: b.dir, Handler: w.Handler, Record: w.Record, Says: true},
		trace.Command{Args: append([]string{exe, toy.Arg, b.dir}, b.bugs...), Env: trace.Environ(toy.Env), Stdout: out})
	if errors.Is(err, trace.ErrPower) {
		return sweep.Story{Cut: true}, nil
	}
	return sweep.Story{Exit: exit}, err
}

func (b *toyBench) Recover(ctx context.Context, w sweep.Watch) (sweep.Story, error) {
	return b.Act(ctx, w)
}

func (b *toyBench) Succeed(ctx context.Context, w sweep.Watch, _ bool) (sweep.Story, error) {
	if s, err := b.Act(ctx, w); err != nil || s.Cut {
		return s, err
	}
	return b.Act(ctx, w)
}

func (b *toyBench) Judge(ctx context.Context, s sweep.Story, d sweep.Depth) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, toy.File))
	switch {
	case err != nil:
		return "", sweep.Violate("the file is gone")
	case string(text) == toy.New():
		return "new", nil
	case string(text) != toy.Old:
		return "", sweep.Violate("the file is neither old nor new")
	case s.Promised:
		return "", sweep.Violate("success was reported and lost")
	case s.Fault != "" && s.Exit == 0:
		return "", sweep.Violate("a failure was taken for success")
	}
	return "old", nil
}

func options(t *testing.T) sweep.Options {
	return sweep.Options{Flow: "toy", Seed: 1, Keep: t.TempDir()}
}

func TestKillTriesEachCallOnce(t *testing.T) {
	opt := options(t)
	opt.Rerun = 1
	r, err := sweep.Kill(context.Background(), newToy(t), opt, false)
	require.NoError(t, err)
	require.Empty(t, r.Violations, r.String())
	require.Equal(t, 5, r.Points)
	require.Equal(t, 5, r.Reruns)
	require.Equal(t, map[string]int{"old": 4, "new": 1}, r.Ends)
	left, err := os.ReadDir(opt.Keep)
	require.NoError(t, err)
	require.Empty(t, left, "what was kept for a finding is removed without one")
}

func TestModesFindWhatIsTheirs(t *testing.T) {
	kill := func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		return sweep.Kill(ctx, b, o, false)
	}
	torn := func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		return sweep.Kill(ctx, b, o, true)
	}
	errno := func(ctx context.Context, b []sweep.Bench, o sweep.Options) (*sweep.Report, error) {
		return sweep.Errno(ctx, b, o, unix.ENOSPC)
	}
	for _, tc := range []struct {
		name  string
		mode  func(context.Context, []sweep.Bench, sweep.Options) (*sweep.Report, error)
		bug   string
		where string // of the first finding; empty for none
		what  string
	}{
		{"kill", kill, "unlink", "rename settings #1", "gone"},
		{"kill", kill, "inplace", "write settings #1", "neither"},
		{"kill", kill, "early", "create settings.tmp #1", "reported and lost"},
		{"kill", kill, "nofsync", "", ""},
		{"torn", torn, "inplace", "write settings #1", "neither"},
		{"errno", errno, "", "", ""},
		{"errno", errno, "inplace", "write settings #1", "neither"},
		{"lose", sweep.Lose, "", "", ""},
		{"lose", sweep.Lose, "nofsync", "rename settings #1", "neither"},
		{"lose", sweep.Lose, "nodirsync", "after success was reported", "reported and lost"},
		{"relapse", sweep.Relapse, "", "", ""},
		{"relapse", sweep.Relapse, "nofsync", "create settings.tmp #1 & rename settings #1", "neither"},
		{"killed", sweep.Killed, "", "", ""},
		{"killed", sweep.Killed, "trusting", "fsync . #1 & after success was reported", "reported and lost"},
		{"pairs", sweep.Pairs, "", "", ""},
		{"pairs", sweep.Pairs, "unlink", "create settings.tmp #1 & rename settings #1", "gone"},
	} {
		t.Run(tc.name+" "+tc.bug, func(t *testing.T) {
			opt := options(t)
			opt.Replay = func(mode, where, kept string) string { return mode + " at " + where }
			r, err := tc.mode(context.Background(), newToy(t, strings.Fields(tc.bug)...)[:1], opt)
			require.NoError(t, err)
			if tc.where == "" {
				require.Empty(t, r.Violations, r.String())
				require.Positive(t, r.Points)
				return
			}
			require.NotEmpty(t, r.Violations, r.String())
			f := r.Violations[0]
			require.Equal(t, tc.where, f.Where)
			require.Contains(t, f.What, tc.what)
			require.DirExists(t, f.Kept, "the device is kept as the crash left it")
			require.Contains(t, r.String(), "again: "+r.Mode+" at "+f.Where)
		})
	}
}

func TestASampleSaysOfHowMany(t *testing.T) {
	opt := options(t)
	opt.Sample = 2
	r, err := sweep.Kill(context.Background(), newToy(t), opt, false)
	require.NoError(t, err)
	require.Equal(t, 2, r.Points)
	require.Equal(t, 5, r.Of)
	require.Contains(t, r.String(), "2 of 5")
}

func TestOnePointAlone(t *testing.T) {
	opt := options(t)
	opt.At = "fsync . #1"
	r, err := sweep.Kill(context.Background(), newToy(t), opt, false)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"new": 1}, r.Ends)
}
