package unitfiles

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
)

// FuzzFollow carries a unit of any name and text onto a device that has a file of that
// name or not, and goes back. What was there before is there again, nothing is made outside
// the directory of units, and a second call has nothing to do.
func FuzzFollow(f *testing.F) {
	f.Add("api.service", []byte("[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\n"), []byte{}, true)
	f.Add("api.service", []byte("[Install]\nWantedBy=../../x.target a.target.wants\nRequiredBy=a.target\\\n b.target\n"), []byte("the operator's\n"), false)
	f.Add("a@1.timer", []byte("[Timer]\nOnBootSec=1\n"), []byte(header), true)
	f.Add("default.target", []byte("[Unit]\n"), []byte(header+"[Unit]\n"), true)
	f.Add("..service", []byte("\x00"), []byte("x"), true)
	f.Add(".a.service.kept", []byte(header), []byte("x"), false)
	f.Add("tope-updater.service", []byte("[Unit]\nConflicts=tope-updater.service\n"), []byte("x"), true)
	f.Fuzz(func(t *testing.T, name string, text, there []byte, is bool) {
		if name == "" || len(name) > 100 || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || is && bytes.HasPrefix(there, []byte(header)) {
			return
		}
		dir := t.TempDir()
		root, err := disk.NewRoot(dir)
		require.NoError(t, err)
		s := New(Config{Root: root, Tree: func(v string) string { return filepath.Join(dir, "versions", v) }})
		d := &device{Store: s, t: t, root: dir}
		d.write("versions/1/systemd/"+name, string(text))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, etc), 0o755))
		if is {
			d.write(etc+"/"+name, string(there))
		}
		// What a cut has left under a name of the updater's own is swept.
		_, err = s.Follow("")
		require.NoError(t, err)
		before := d.tree()

		taken, err := s.Collisions("1")
		require.NoError(t, err)
		refused := s.Allows([]File{{"systemd/" + name, true, int64(len(text)), false}})
		d.follow("1")
		for path := range d.tree() {
			base := filepath.Base(path)
			mine := base == name || base == "."+name+keptSuffix || base == dropInName || before[path] != ""
			require.True(t, mine, "%s was made for %s", path, name)
			if up := filepath.Dir(path); up != "." {
				require.NotContains(t, up, "/")
			}
		}
		if CheckName(name) != nil {
			require.Error(t, refused)
			require.Empty(t, taken)
		}
		d.follow("")
		require.Equal(t, before, d.tree())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, left, 2, "versions and etc")
	})
}
