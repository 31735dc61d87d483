package secret_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/secret"
	"github.com/tope/updater/platform/secret/secrettest"
)

const word = "hunter2-0123456789"

type outer struct {
	Open secret.Text            `toml:"open"`
	Map  map[string]secret.Text `toml:"map"`
}

func TestNothingPrintsIt(t *testing.T) {
	s := secret.New(word)
	printed := secrettest.Printed(t, s)
	require.NotContains(t, printed, word)
	require.NotContains(t, printed, fmt.Sprintf("%x", word))
	require.Contains(t, printed, secret.Shown)
	require.Equal(t, word, s.Reveal())
}

func TestDecoding(t *testing.T) {
	var o outer
	_, err := toml.Decode("open = \""+word+"\"\nmap = { A = \"b\" }", &o)
	require.NoError(t, err)
	require.Equal(t, word, o.Open.Reveal())
	require.Equal(t, "b", o.Map["A"].Reveal())
	require.True(t, secret.Text{}.Empty() && !o.Open.Empty())
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "f")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	s, err := secret.Read(file("  " + word + "\r\n"))
	require.NoError(t, err)
	require.Equal(t, word, s.Reveal())

	for _, text := range []string{"", "\n", word + "\nsecond", word + "\x00"} {
		_, err := secret.Read(file(text))
		require.ErrorIs(t, err, secret.ErrNotOneLine)
		require.NotContains(t, err.Error(), word)
	}
	_, err = secret.Read(file(strings.Repeat("x", 16<<10+1)))
	require.ErrorContains(t, err, "has more than")
	_, err = secret.Read(dir)
	require.ErrorContains(t, err, "is not a regular file")
	_, err = secret.Read(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)

	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	_, err = secret.Read(pipe) // it does not wait for a writer
	require.ErrorContains(t, err, "is not a regular file")
}

// A private file is judged by who else can get at it, and says in one line what to do.
func TestReadPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write(word + "\n")
	for mode, private := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o644: false, 0o640: false, 0o604: false, 0o620: false, 0o602: false, 0o610: false, 0o601: false,
	} {
		require.NoError(t, os.Chmod(path, mode))
		s, err := secret.ReadPrivate(path)
		if private {
			require.NoError(t, err, "%#o", mode)
			require.Equal(t, word, s.Reveal())
			continue
		}
		require.ErrorIs(t, err, secret.ErrExposed, "%#o", mode)
		require.EqualError(t, err, fmt.Sprintf("%s: it is a secret that others can get at, since its mode is %#o: chmod 600 %s", path, mode, path))
	}
	require.NoError(t, os.Chmod(path, 0o600))

	// The next one is in force as soon as it is there.
	write("renewed\n")
	s, err := secret.ReadPrivate(path)
	require.NoError(t, err)
	require.Equal(t, "renewed", s.Reveal())

	write(strings.Repeat("x", 4<<10))
	_, err = secret.ReadPrivate(path)
	require.NoError(t, err)
	write(strings.Repeat("x", 4<<10+1))
	_, err = secret.ReadPrivate(path)
	require.ErrorContains(t, err, "has more than 4096 bytes")
	write(word + "\nsecond")
	_, err = secret.ReadPrivate(path)
	require.ErrorIs(t, err, secret.ErrNotOneLine)

	// What counts is the file, not the link to it.
	write(word)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	_, err = secret.ReadPrivate(link)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = secret.ReadPrivate(link)
	require.ErrorIs(t, err, secret.ErrExposed)
}

func TestAPrivateFileOfAnotherUser(t *testing.T) {
	roottest.Need(t, "a file of another user")
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte(word), 0o600))
	require.NoError(t, os.Chown(path, 1234, 0))
	_, err := secret.ReadPrivate(path)
	require.ErrorIs(t, err, secret.ErrExposed)
	require.ErrorContains(t, err, "chown root "+path)
}
