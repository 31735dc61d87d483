package bundle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

func TestCheckPath(t *testing.T) {
	limits := bundle.DefaultLimits()
	for _, p := range []string{"a", "bin/device-api", "a b/ü/日本", "..a/b..", "...", "-rf", "a:b", strings.Repeat("x", 255)} {
		require.NoError(t, bundle.CheckPath(p, limits), p)
	}
	for _, p := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", `a\b`, "a\x00", "a\nb", "\x7f", "\xff",
		strings.Repeat("x", 256), strings.Repeat("x/", 32) + "x", strings.Repeat("xxxxxxxxx/", 103) + "x",
	} {
		require.Error(t, bundle.CheckPath(p, limits), p)
	}
}

func TestCheckTarget(t *testing.T) {
	limits := bundle.DefaultLimits()
	for _, c := range []struct{ path, target string }{
		{"lib/x.so", "x.so.1"}, {"lib/x.so", "./x.so.1"}, {"lib/x", "sub/dir/"}, {"a/b/c", "../../d"}, {"a/b/c", "../x/y"}, {"a/l", "l"},
	} {
		require.NoError(t, bundle.CheckTarget(c.path, c.target, limits), "%v", c)
	}
	for _, c := range []struct{ path, target string }{
		{"l", ""},
		{"l", "/"},
		{"l", "/etc"},
		{"l", ".."},
		{"l", "../x"},
		{"a/l", "../../x"},
		{"a/l", ".."},
		{"a/l", "."},
		{"a/b/l", "../x/../../../y"},
		{"a/l", "x/../../.."},
		{"a/l", "x//y"},
		{"a/l", "./../../x"},
		{"l", "l"},
		{"a/l", "x\\y"},
	} {
		require.Error(t, bundle.CheckTarget(c.path, c.target, limits), "%v", c)
	}
}

// Wherever an accepted target leads in a real tree, it stays there.
func FuzzCheckTarget(f *testing.F) {
	for _, target := range []string{"../x", "d/../..", "d/f", "../../..", "./d/", "up/../../e", "l2/../.."} {
		f.Add("a/b/l", target)
	}
	f.Fuzz(func(t *testing.T, path, target string) {
		limits := bundle.DefaultLimits()
		if bundle.CheckPath(path, limits) != nil || bundle.CheckTarget(path, target, limits) != nil {
			return
		}
		const version = "/v"
		to := filepath.Join(version, filepath.Dir(path), target)
		require.True(t, strings.HasPrefix(to, version+"/"), "%q -> %q is %q", path, target, to)
	})
}

func TestTree(t *testing.T) {
	tree := bundle.NewTree()
	require.NoError(t, tree.Add("a/b/c", bundle.File))
	require.NoError(t, tree.Add("a/b", bundle.Dir))
	require.NoError(t, tree.Add("a", bundle.Dir))
	require.NoError(t, tree.Add("a/ß", bundle.Link))
	require.NoError(t, tree.Add("x/y/z", bundle.Dir))
	require.Equal(t, 5, tree.Dirs())
	for _, c := range []struct {
		path string
		typ  bundle.Type
		says string
	}{
		{"a/b/c", bundle.File, "twice"},
		{"a/b/c", bundle.Link, "twice"},
		{"a/b/c", bundle.Dir, "something else"},
		{"a/b/c/d", bundle.File, "something else"},
		{"a/ß/d", bundle.File, "something else"},
		{"x/y", bundle.File, "something else"},
		{"A", bundle.Dir, "case"},
		{"a/B/d", bundle.File, "case"},
		{"a/b/C", bundle.File, "case"},
		{"a/ẞ", bundle.File, "case"},
	} {
		require.ErrorContains(t, tree.Add(c.path, c.typ), c.says, c.path)
	}
}

func TestLimits(t *testing.T) {
	l := bundle.Limits{File: 1 << 30, Total: 1 << 31, Ratio: 100, RatioFloor: 1 << 20}
	require.NoError(t, l.CheckSize("f", 1<<20, 1), "below the floor")
	require.Error(t, l.CheckSize("f", 1<<20+1, 1))
	require.NoError(t, l.CheckSize("f", 1<<30, 1<<24))
	require.Error(t, l.CheckSize("f", 1<<30+1, 1<<30))
	require.Error(t, l.CheckSize("f", -1, 1))
	require.Error(t, l.CheckTotal(1<<31+1, 1<<31))
	require.Error(t, l.CheckTotal(1<<30, 1<<20))
}

func TestRoom(t *testing.T) {
	bytes, inodes := bundle.Totals{Files: 10, Dirs: 2, Bytes: 1 << 20}.Room()
	require.Greater(t, bytes, uint64(1<<20+12*4096))
	require.Greater(t, inodes, uint64(12))
}

func TestOpenWithoutFormats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundle")
	_, err := bundle.Open(path, bundle.Limits{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, steps.Local, steps.AsError(err).Class)
	require.NoError(t, os.WriteFile(path, []byte("something"), 0o600))
	_, err = bundle.Open(path, bundle.Limits{})
	require.Equal(t, steps.InvalidPackage, steps.AsError(err).Code)
	require.ErrorContains(t, err, path)
}
