//go:build linux && amd64

package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/model"
	"github.com/tope/updater/cmd/crashlab/internal/toy"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/platform/roottest"
)

func TestMain(m *testing.M) {
	trace.Stub()
	toy.Main()
	os.Exit(m.Run())
}

// replay records the toy and returns the faults of the states that, by the model,
// a power cut may leave, and how many states there were.
func replay(t *testing.T, bugs ...string) (wrong map[string]bool, states int) {
	roottest.Need(t, "a machine of its own")
	dir := filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, toy.File), []byte(toy.Old), 0o644))
	fs, err := model.Load(dir)
	require.NoError(t, err)
	var calls []*trace.Call
	exe, err := os.Executable()
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(out, nil, 0o600))
	exit, err := trace.Watch(context.Background(), trace.Config{
		Dir: dir, Record: true, Says: true,
		Handler: func(c *trace.Call) trace.Verdict { calls = append(calls, c); return trace.Verdict{} },
	}, trace.Command{Args: append([]string{exe, toy.Arg, dir}, bugs...), Env: trace.Environ(toy.Env), Stdout: out})
	require.NoError(t, err)
	require.Zero(t, exit)

	wrong = map[string]bool{}
	promised := false
	for i, c := range calls {
		if c.Said {
			promised = promised || strings.Contains(string(c.Data), "replaced")
			continue
		}
		require.NoError(t, fs.Apply(c))
		list, exhaustive := fs.States(4096, 1)
		require.True(t, exhaustive)
		for k, s := range list {
			states++
			at := filepath.Join(t.TempDir(), fmt.Sprint(i, "-", k))
			require.NoError(t, s.Build(at))
			if w := oracle(at, promised); w != "" {
				wrong[w] = true
			}
		}
	}
	require.NoError(t, fs.Same(dir, nil))
	if promised { // a report holds in every state after it
		list, _ := fs.States(4096, 1)
		for k, s := range list {
			at := filepath.Join(t.TempDir(), fmt.Sprint("end-", k))
			require.NoError(t, s.Build(at))
			if w := oracle(at, true); w != "" {
				wrong[w] = true
			}
		}
	}
	return wrong, states
}

// oracle returns the fault of a leftover of the toy.
func oracle(dir string, promised bool) string {
	b, err := os.ReadFile(filepath.Join(dir, toy.File))
	switch {
	case err != nil:
		return "gone"
	case string(b) == toy.New():
		return ""
	case string(b) != toy.Old:
		return "neither old nor new"
	case promised:
		return "promised and lost"
	}
	return ""
}

func TestTheModelSeesWhatWasNotSynced(t *testing.T) {
	for _, tc := range []struct {
		bugs  []string
		wrong []string
	}{
		{nil, nil},
		{[]string{"nofsync"}, []string{"neither old nor new"}},
		{[]string{"nodirsync"}, []string{"promised and lost"}},
		{[]string{"inplace"}, []string{"neither old nor new"}},
		{[]string{"unlink"}, []string{"gone"}},
		{[]string{"early"}, []string{"promised and lost"}},
	} {
		t.Run(strings.Join(append([]string{"toy"}, tc.bugs...), " "), func(t *testing.T) {
			wrong, states := replay(t, tc.bugs...)
			var got []string
			for w := range wrong {
				got = append(got, w)
			}
			require.ElementsMatch(t, tc.wrong, got)
			require.Greater(t, states, 5)
		})
	}
}
