package unitfiles

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A version's systemd directory that is a link was not judged as units when the release
// came: neither files of the release under another name are, nor a directory that its
// services write to. Nothing in it becomes a unit of root's.
func TestUnitsBehindALink(t *testing.T) {
	for name, at := range map[string]string{"in the version": "versions/1/lib", "in a writable directory": "shared/systemd"} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.write(at+"/evil.service", "[Service]\nExecStart=/bin/evil\n[Install]\nWantedBy=multi-user.target\n")
			require.NoError(t, os.MkdirAll(filepath.Join(d.root, "versions/1"), 0o755))
			require.NoError(t, os.Symlink(filepath.Join(d.root, at), filepath.Join(d.root, "versions/1", Dir)))
			require.NoError(t, os.MkdirAll(filepath.Join(d.root, etc), 0o755))

			units, err := d.Carried("1")
			require.NoError(t, err)
			require.Empty(t, units)
			c, err := d.Follow("1")
			require.NoError(t, err)
			require.Empty(t, c.Changes)
			require.Equal(t, []Left{{Dir, "a link or a file, and not a directory of units"}}, c.Left)
			require.Empty(t, d.tree())
			bad, err := CheckTexts(filepath.Join(d.root, "versions/1"))
			require.NoError(t, err)
			require.ErrorContains(t, bad, "not a directory of units")
		})
	}
	require.ErrorContains(t, Check([]File{{Path: Dir, Link: true}}), "systemd is a link, and should be a directory of units")
	require.NoError(t, Check([]File{{Path: Dir}}))
}

// Neither a pipe nor a link in a version's systemd directory is opened.
func TestUnitsThatAreNotFiles(t *testing.T) {
	d := newDevice(t)
	d.carry("1", "api.service")
	d.write("secret", "secret")
	dir := filepath.Join(d.root, "versions/1", Dir)
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "pipe.service"), 0o644))
	require.NoError(t, os.Symlink(filepath.Join(d.root, "secret"), filepath.Join(dir, "link.service")))
	units, err := d.Carried("1")
	require.NoError(t, err)
	require.Len(t, units, 1)
	_, left, err := d.carried("1")
	require.NoError(t, err)
	require.Len(t, left, 2)
}
