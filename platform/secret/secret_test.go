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
