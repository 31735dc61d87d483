package pack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/filecaps"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// planted is a directory with a program, a private key and data.
func planted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700), "as mktemp makes it")
	for path, mode := range map[string]os.FileMode{"bin/app": 0o755, "etc/key.pem": 0o600, "etc/group.conf": 0o640, "data/x": 0o644} {
		at := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte("#!/bin/sh\n"), mode))
		require.NoError(t, os.Chmod(at, mode))
	}
	return dir
}

func modes(t *testing.T, dir string, drop ...pack.Loss) map[string]string {
	t.Helper()
	tree, err := pack.Scan(dir, bundle.DefaultLimits(), drop...)
	require.NoError(t, err)
	got := map[string]string{}
	for _, f := range tree.Files {
		got[f.Path] = f.Mode
	}
	return got
}

func capable(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, filecaps.Set{Permitted: 1 << 10, Effective: true}.Apply(f))
	require.NoError(t, f.Close())
}

// A private key of mode 0600 used to become readable for everybody, and capabilities
// were lost.
func TestModesAndCapabilitiesAreCarried(t *testing.T) {
	roottest.Need(t, "file capabilities")
	dir := planted(t)
	require.Equal(t, map[string]string{"bin/app": "0755", "etc/key.pem": "0600", "etc/group.conf": "0640", "data/x": "0644"}, modes(t, dir))
	capable(t, filepath.Join(dir, "bin/app"))
	require.Equal(t, "0755 cap_net_bind_service=ep", modes(t, dir)["bin/app"])
	require.Equal(t, "0755", modes(t, dir, pack.Capabilities)["bin/app"])
	require.Equal(t, map[string]string{"bin/app": "0755", "etc/key.pem": "0644", "etc/group.conf": "0644", "data/x": "0644"},
		modes(t, dir, pack.Modes, pack.Capabilities))

	tree, err := pack.Scan(dir, bundle.DefaultLimits())
	require.NoError(t, err)
	require.Contains(t, strings.Join(tree.Warnings, "\n"), `for root alone: "etc/group.conf" and 1 more`)
}

// An updater that would install it wrongly has to refuse it; all others take it.
func TestTheSchemaIsTheOldestThatSaysItAll(t *testing.T) {
	roottest.Need(t, "file capabilities")
	schema := func(change func(dir string), drop ...pack.Loss) int {
		dir := planted(t)
		change(dir)
		tree, err := pack.Scan(dir, bundle.DefaultLimits(), drop...)
		require.NoError(t, err)
		return (&native.Release{Files: tree.Files}).LeastSchema()
	}
	open := func(dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "etc"))) }
	require.Equal(t, 1, schema(open))
	require.Equal(t, 2, schema(func(string) {}))
	require.Equal(t, 1, schema(func(string) {}, pack.Modes))
	able := func(dir string) {
		open(dir)
		capable(t, filepath.Join(dir, "bin/app"))
	}
	require.Equal(t, 2, schema(able))
	require.Equal(t, 1, schema(able, pack.Capabilities))
}

// Each of these was lost in silence. It is refused by name, all at once, and packed
// without it only when that is asked for.
func TestScanNamesWhatAReleaseDoesNotCarry(t *testing.T) {
	roottest.Need(t, "files of other users")
	const stranger = 54321
	losses := []struct {
		what pack.Loss
		do   func(dir string) error
		says string
	}{
		{pack.Owners, func(dir string) error { return os.Lchown(dir+"/data/x", stranger, 0) }, `"data/x" belongs to user 54321`},
		{pack.Owners, func(dir string) error { return os.Lchown(dir+"/etc/group.conf", 0, stranger) }, `"etc/group.conf" belongs to group 54321`},
		{pack.Bits, func(dir string) error { return os.Chmod(dir+"/bin", 0o755|os.ModeSetgid) }, `"bin" has setuid, setgid or sticky bits (dgrwxr-xr-x)`},
		{pack.Bits, func(dir string) error { return os.Chmod(dir, 0o755|os.ModeSetgid) }, `"." has setuid`},
		{pack.Bits, func(dir string) error { return os.Chmod(dir+"/bin/app", 0o755|os.ModeSetuid) }, `"bin/app" has setuid`},
		{pack.Bits, func(dir string) error { return os.Chmod(dir+"/data", 0o777|os.ModeSticky) }, `"data" has setuid`},
		{pack.Attributes, func(dir string) error { return unix.Setxattr(dir+"/data/x", "user.comment", []byte("x"), 0) }, `"data/x" has the extended attribute user.comment`},
		{pack.Attributes, func(dir string) error { return unix.Setxattr(dir+"/etc", "trusted.x", []byte("x"), 0) }, `"etc" has the extended attribute trusted.x`},
		{pack.Attributes, func(dir string) error { return unix.Setxattr(dir+"/data/x", "system.posix_acl_access", acl(), 0) }, `"data/x" has an access list`},
		{pack.Attributes, func(dir string) error { return unix.Setxattr(dir+"/data", "system.posix_acl_default", acl(), 0) }, `"data" has an access list`},
		{pack.Modes, func(dir string) error { return os.Chmod(dir+"/data", 0o700) }, `"data" is closed to others (drwx------), and on a device it is not: everybody may read "data/x"`},
		{pack.Capabilities, func(dir string) error {
			raw := append([]byte{1, 0, 0, 3}, make([]byte, 20)...)
			raw[4], raw[20] = 1, 1
			return unix.Setxattr(dir+"/bin/app", filecaps.Attribute, raw, 0)
		}, `"bin/app" has capabilities of a kind that cannot be carried: they count in the user namespace of user 1 only`},
	}
	all := planted(t)
	for _, l := range losses {
		dir := planted(t)
		require.NoError(t, l.do(dir), l.says)
		_, err := pack.Scan(dir, bundle.DefaultLimits())
		var problems pack.Problems
		require.ErrorAs(t, err, &problems, l.says)
		require.Len(t, problems, 1, l.says)
		require.Contains(t, problems[0], l.says)
		require.Contains(t, problems[0], "--drop "+string(l.what))
		for _, other := range pack.Losses() {
			if other != l.what {
				_, err := pack.Scan(dir, bundle.DefaultLimits(), other)
				require.ErrorAs(t, err, &problems, "%s with --drop %s", l.says, other)
			}
		}
		tree, err := pack.Scan(dir, bundle.DefaultLimits(), l.what)
		require.NoError(t, err, l.says)
		require.Contains(t, strings.Join(tree.Warnings, "\n"), "--drop "+string(l.what)+": left out of ")
		if l.what != pack.Bits {
			require.NoError(t, l.do(all))
		}
	}
	_, err := pack.Scan(all, bundle.DefaultLimits())
	for _, l := range losses {
		if l.what != pack.Bits {
			require.ErrorContains(t, err, l.says)
		}
	}
	base, err := pack.OpenBase(t.Context(), all, t.TempDir(), bundle.DefaultLimits())
	require.NoError(t, err, "patches are made from contents alone")
	require.NotNil(t, base)
}

// acl is an access list that gives user 1 the right to read; see acl(5).
func acl() []byte {
	return []byte{
		2, 0, 0, 0,
		1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, // user::rw-
		2, 0, 4, 0, 1, 0, 0, 0, // user:1:r--
		4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, // group::r--
		0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, // mask::r--
		0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, // other::r--
	}
}

// These are everywhere, and nothing is lost with them.
func TestScanTakesWhatLosesNothing(t *testing.T) {
	roottest.Need(t, "files of other users")
	const builder = 12345
	for name, do := range map[string]func(dir string) error{
		"all of it is a builder's": func(dir string) error {
			return filepath.Walk(dir, func(p string, _ os.FileInfo, err error) error {
				return errors.Join(err, os.Lchown(p, builder, builder))
			})
		},
		"root's in a builder's directory":              func(dir string) error { return os.Lchown(dir, builder, builder) },
		"another group that may do what everybody may": func(dir string) error { return os.Lchown(dir+"/data/x", 0, builder) },
		"a stranger's link": func(dir string) error {
			return errors.Join(os.Symlink("x", dir+"/data/y"), os.Lchown(dir+"/data/y", builder, builder))
		},
		"write bits for everybody": func(dir string) error { return os.Chmod(dir+"/data/x", 0o666) },
		"a closed directory with closed files": func(dir string) error {
			return errors.Join(os.Chmod(dir+"/data", 0o700), os.Chmod(dir+"/data/x", 0o600))
		},
		"a label of the host": func(dir string) error {
			err := unix.Setxattr(dir+"/data/x", "security.selinux", []byte("system_u:object_r:tmp_t:s0"), 0)
			if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) {
				return nil
			}
			return err
		},
	} {
		dir := planted(t)
		require.NoError(t, do(dir), name)
		_, err := pack.Scan(dir, bundle.DefaultLimits())
		require.NoError(t, err, name)
	}
}
