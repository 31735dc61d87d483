package identity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/identity"
	"github.com/tope/updater/platform/secret"
)

const (
	machine = "0123456789abcdef0123456789abcdef"
	// printf tope-fleet | openssl dgst -sha256 -mac hmac -macopt hexkey:$machine
	derived = "5f34c77c679a91e8d8d92aab37914ea6"
)

// device is a root with files, by their path on the device.
func device(t *testing.T, files map[string]string) disk.Root {
	t.Helper()
	root, err := disk.NewRoot(t.TempDir())
	require.NoError(t, err)
	for path, text := range files {
		path = filepath.Join(root.Dir(), path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

func TestDevice(t *testing.T) {
	for text, want := range map[string]string{
		machine + "\n":                  derived,
		machine:                         derived,
		strings.ToUpper(machine) + "\n": derived,
		machine[:31] + "e\n":            "", // another machine, below
	} {
		id, err := identity.Device(device(t, map[string]string{"/etc/machine-id": text}), "")
		require.NoError(t, err)
		require.NotContains(t, id, machine)
		if want == "" {
			require.NotEqual(t, derived, id)
			require.Len(t, id, 32)
			continue
		}
		require.Equal(t, want, id)
	}
}

// An id of the configuration counts alone: the machine id is not looked at.
func TestDeviceOfTheConfiguration(t *testing.T) {
	id, err := identity.Device(device(t, nil), "printer-0042")
	require.NoError(t, err)
	require.Equal(t, "printer-0042", id)
	_, err = identity.Device(device(t, map[string]string{"/etc/machine-id": machine}), "a/b")
	require.Error(t, err)
}

// A machine id of a device that has links, as an image with a read-only /etc has it, is the
// device's and not this host's.
func TestTheMachineIDIsTheDevices(t *testing.T) {
	root := device(t, map[string]string{"/data/id": machine})
	require.NoError(t, os.Mkdir(filepath.Join(root.Dir(), "etc"), 0o755))
	require.NoError(t, os.Symlink("/data/id", filepath.Join(root.Dir(), "etc/machine-id")))
	id, err := identity.Device(root, "")
	require.NoError(t, err)
	require.Equal(t, derived, id)
}

// Without a machine id nothing is made up: two devices would be one.
func TestADeviceWithoutAMachineID(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"missing":         {nil, "/etc/machine-id is missing"},
		"empty":           {map[string]string{"/etc/machine-id": "\n"}, "/etc/machine-id is empty"},
		"never booted":    {map[string]string{"/etc/machine-id": "uninitialized\n"}, "has no machine id of 32 hex digits"},
		"short":           {map[string]string{"/etc/machine-id": machine[:30]}, "has no machine id of 32 hex digits"},
		"long":            {map[string]string{"/etc/machine-id": machine + "ab"}, "has no machine id of 32 hex digits"},
		"nothing but 0":   {map[string]string{"/etc/machine-id": strings.Repeat("0", 32)}, "has no machine id of 32 hex digits"},
		"a wrong file":    {map[string]string{"/etc/machine-id": strings.Repeat("a", 1<<16)}, "has more than"},
		"not a file even": {map[string]string{"/etc/machine-id/x": ""}, "is not a regular file"},
	} {
		_, err := identity.Device(device(t, c.files), "")
		require.ErrorIs(t, err, identity.ErrUnknown, name)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "; set fleet.id", name)
		require.NotContains(t, err.Error(), "\n", name)
		require.NotContains(t, err.Error(), machine[:8], name)
	}
}

func TestValidID(t *testing.T) {
	for _, id := range []string{derived, "Printer-1", "urn:dev:mac:0024befffe804ff1", "a@b", ".a", strings.Repeat("x", 128)} {
		require.NoError(t, identity.ValidID(id), id)
	}
	for _, id := range []string{"", ".", "..", "a/b", "a b", "a%2fb", "ä", "a\n", "a?b", "a#b", strings.Repeat("x", 129)} {
		require.Error(t, identity.ValidID(id), id)
	}
}

const word = "hunter2-0123456789"

func TestTokenOfAFile(t *testing.T) {
	root := device(t, map[string]string{"/etc/tope-updater/fleet.token": word + "\n"})
	// A file that is named counts, also when there is a credential.
	token := identity.Token{Root: root, File: "/etc/tope-updater/fleet.token", Credentials: t.TempDir()}
	host, err := token.Place()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root.Dir(), "etc/tope-updater/fleet.token"), host)
	s, err := token.Read()
	require.NoError(t, err)
	require.Equal(t, word, s.Reveal())

	require.NoError(t, os.WriteFile(host, []byte("renewed"), 0o600))
	s, err = token.Read()
	require.NoError(t, err)
	require.Equal(t, "renewed", s.Reveal())

	require.NoError(t, os.Chmod(host, 0o640))
	_, err = token.Read()
	require.ErrorIs(t, err, secret.ErrExposed)
	require.ErrorContains(t, err, "chmod 600 "+host)
	require.NotContains(t, err.Error(), "renewed")

	require.NoError(t, os.Remove(host))
	_, err = token.Read()
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A credential is in a directory that only the daemon has; with an access list for the
// daemon's user, its mode has a bit for the group.
func TestTokenOfSystemd(t *testing.T) {
	dir := t.TempDir()
	token := identity.Token{Root: device(t, nil), Credentials: dir}
	_, err := token.Read()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "correct LoadCredential=")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "fleet.token"), []byte(word+"\n"), 0o440))
	s, err := token.Read()
	require.NoError(t, err)
	require.Equal(t, word, s.Reveal())
}

func TestNoToken(t *testing.T) {
	_, err := identity.Token{}.Read()
	require.ErrorIs(t, err, identity.ErrNoToken)
	require.ErrorContains(t, err, "set fleet.token_file")
}
