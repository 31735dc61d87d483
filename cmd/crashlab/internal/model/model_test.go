package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/model"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
)

// disk is an FS over files of one line each.
func disk(t *testing.T, files map[string]string) *model.FS {
	dir := t.TempDir()
	for name, s := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644))
	}
	fs, err := model.Load(dir)
	require.NoError(t, err)
	return fs
}

func apply(t *testing.T, fs *model.FS, calls ...trace.Call) {
	for _, c := range calls {
		c.Len = len(c.Data)
		require.NoError(t, fs.Apply(&c))
	}
}

// leftovers are the distinct trees a cut may leave, each as "name=bytes name=bytes".
func leftovers(t *testing.T, fs *model.FS) []string {
	states, exhaustive := fs.States(4096, 1)
	require.True(t, exhaustive)
	seen := map[string]bool{}
	sums := map[[32]byte]string{}
	for _, s := range states {
		at := filepath.Join(t.TempDir(), "state")
		require.NoError(t, s.Build(at))
		text := list(t, at)
		seen[text] = true
		if other, ok := sums[s.Hash()]; ok {
			require.Equal(t, other, text, "equal hashes, different trees")
		}
		sums[s.Hash()] = text
	}
	require.Len(t, sums, len(seen), "equal trees, different hashes")
	out := make([]string, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

func list(t *testing.T, at string) string {
	text := ""
	require.NoError(t, filepath.WalkDir(at, func(p string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		rel, _ := filepath.Rel(at, p)
		switch {
		case p == at:
		case d.IsDir():
			text += rel + "/ "
		case d.Type()&os.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			text += rel + "->" + target + " "
		default:
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			info, err := d.Info()
			require.NoError(t, err)
			text += rel + "=" + string(b)
			if info.Mode().Perm() != 0o644 {
				text += "(" + info.Mode().String() + ")"
			}
			if caps, err := filecaps.Of(p); err != nil || !caps.None() {
				text += "(" + caps.String() + ")"
			}
			text += " "
		}
		return nil
	}))
	return text
}

func create(p string) trace.Call { return trace.Call{Op: trace.Create, Path: p, Mode: 0o644} }
func write(p string, off int64, s string) trace.Call {
	return trace.Call{Op: trace.Pwrite, Path: p, Off: off, Data: []byte(s)}
}

// able gives a file cap_net_bind_service.
func able(p string) trace.Call {
	return trace.Call{Op: trace.Setxattr, Path: p, Attr: filecaps.Attribute, Data: append([]byte{1, 0, 0, 2, 0, 4}, make([]byte, 14)...)}
}

func fsync(p string) trace.Call     { return trace.Call{Op: trace.Fsync, Path: p} }
func rename(a, b string) trace.Call { return trace.Call{Op: trace.Rename, From: a, Path: b} }

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		calls []trace.Call
		want  []string
	}{
		{
			name:  "a new file's name and bytes land apart: none, all, half, zeros",
			calls: []trace.Call{create("f"), write("f", 0, "ab")},
			want:  []string{"", "f= ", "f=\x00\x00 ", "f=a ", "f=ab "},
		},
		{
			name:  "fsync of a file does not save its name",
			calls: []trace.Call{create("f"), write("f", 0, "ab"), fsync("f")},
			want:  []string{"", "f=ab "},
		},
		{
			name:  "fsync of a directory does not save what is in its files",
			calls: []trace.Call{create("f"), write("f", 0, "a"), fsync(".")},
			want:  []string{"f= ", "f=\x00 ", "f=a "},
		},
		{
			name:  "changes of a directory land in order",
			files: map[string]string{"a": "1", "b": "2"},
			calls: []trace.Call{{Op: trace.Unlink, Path: "a"}, {Op: trace.Unlink, Path: "b"}},
			want:  []string{"", "a=1 b=2 ", "b=2 "},
		},
		{
			name:  "writes over durable bytes land in any subset",
			files: map[string]string{"f": "abcd"},
			calls: []trace.Call{write("f", 0, "X"), write("f", 3, "Y")},
			want:  []string{"f=XbcY ", "f=Xbcd ", "f=abcY ", "f=abcd "},
		},
		{
			name:  "a rename in a directory is one change",
			files: map[string]string{"f": "old", "g": "new"},
			calls: []trace.Call{rename("g", "f")},
			want:  []string{"f=new ", "f=old g=new "},
		},
		{
			name:  "a rename across directories is two",
			files: map[string]string{"d/f": "1", "e/x": "2"},
			calls: []trace.Call{rename("d/f", "e/f")},
			want:  []string{"d/ d/f=1 e/ e/f=1 e/x=2 ", "d/ d/f=1 e/ e/x=2 ", "d/ e/ e/f=1 e/x=2 ", "d/ e/ e/x=2 "},
		},
		{
			name:  "syncfs saves everything",
			files: map[string]string{"f": "1"},
			calls: []trace.Call{create("g"), write("g", 0, "2"), rename("g", "f"), {Op: trace.Syncfs, Path: "."}},
			want:  []string{"f=2 "},
		},
		{
			name:  "mode bits land or not, and fdatasync does not save them",
			files: map[string]string{"f": "1"},
			calls: []trace.Call{{Op: trace.Chmod, Path: "f", Mode: 0o755}, {Op: trace.Fdatasync, Path: "f"}},
			want:  []string{"f=1 ", "f=1(-rwxr-xr-x) "},
		},
		{
			name:  "capabilities land or not, and fdatasync does not save them",
			files: map[string]string{"f": "1"},
			calls: []trace.Call{able("f"), {Op: trace.Fdatasync, Path: "f"}},
			want:  []string{"f=1 ", "f=1(cap_net_bind_service=ep) "},
		},
		{
			name:  "fsync saves capabilities",
			files: map[string]string{"f": "1"},
			calls: []trace.Call{able("f"), fsync("f")},
			want:  []string{"f=1(cap_net_bind_service=ep) "},
		},
		{
			name:  "a write takes capabilities away, and so does their removal",
			files: map[string]string{"f": "1", "g": "1"},
			calls: []trace.Call{able("f"), able("g"), write("f", 0, "2"), {Op: trace.Setxattr, Path: "g", Attr: filecaps.Attribute}, {Op: trace.Syncfs, Path: "."}},
			want:  []string{"f=2 g=1 "},
		},
		{
			name:  "refused calls change nothing",
			files: map[string]string{"d/f": "1", "g": "2"},
			calls: []trace.Call{
				rename("none", "g"),
				{Op: trace.Rmdir, Path: "d"},
				{Op: trace.Unlink, Path: "d"},
				rename("g", "d"),
				{Op: trace.Mkdir, Path: "d"},
				{Op: trace.Symlink, Path: "g", From: "x"},
			},
			want: []string{"d/ d/f=1 g=2 "},
		},
		{
			name:  "O_SYNC writes are durable",
			files: map[string]string{"f": "1"},
			calls: []trace.Call{{Op: trace.Write, Path: "f", Data: []byte("2"), Flags: 0o4010000}},
			want:  []string{"f=2 "},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if slices.ContainsFunc(tc.calls, func(c trace.Call) bool { return c.Op == trace.Setxattr }) {
				roottest.Need(t, "file capabilities")
			}
			fs := disk(t, tc.files)
			apply(t, fs, tc.calls...)
			require.ElementsMatch(t, tc.want, leftovers(t, fs))
		})
	}
}

func TestManyStatesAreSampled(t *testing.T) {
	fs := disk(t, nil)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		apply(t, fs, create(name), write(name, 0, "12345678"), fsync("."))
	}
	states, exhaustive := fs.States(100, 1)
	require.False(t, exhaustive)
	require.Len(t, states, 100)
	again, _ := fs.States(100, 1)
	for i := range states {
		require.Equal(t, states[i].Hash(), again[i].Hash(), "the same seed draws the same sample")
	}
	all, exhaustive := fs.States(4096, 1)
	require.True(t, exhaustive)
	require.Len(t, all, 4096)
}

func TestBlindSpotsAreErrors(t *testing.T) {
	fs := disk(t, map[string]string{"f": "1"})
	require.ErrorContains(t, fs.Apply(&trace.Call{Op: trace.Mmap, Path: "f"}), "cannot be seen")
	require.ErrorContains(t, fs.Apply(&trace.Call{Op: trace.Splice, Path: "f"}), "cannot be seen")
	require.ErrorContains(t, fs.Apply(&trace.Call{Op: trace.Pwrite, Path: "f", Len: 5}), "recorded")
}
