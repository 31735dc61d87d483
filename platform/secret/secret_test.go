package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/secret"
)

const word = "hunter2-0123456789"

type outer struct {
	Open   secret.Text `toml:"open"`
	hidden secret.Text
	Map    map[string]secret.Text `toml:"map"`
	List   []secret.Text
	Deep   *outer
	any    any
}

// TestNothingPrintsIt tries what Go has to print a value, with the secret at each depth.
func TestNothingPrintsIt(t *testing.T) {
	s := secret.New(word)
	o := outer{Open: s, hidden: s, Map: map[string]secret.Text{"k": s}, List: []secret.Text{s}, Deep: &outer{hidden: s}, any: s}
	var printed strings.Builder
	for _, v := range []any{s, &s, o, &o, []any{s, o}, map[string]any{"a": o}, struct{ unexported secret.Text }{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%U", "%T", "%10.3s"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		fmt.Fprintln(&printed, v)
		b, err := json.Marshal(v)
		require.NoError(t, err)
		printed.Write(b)
		var buf bytes.Buffer
		slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "v", v, slog.Any("w", v))
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "v", v)
		printed.Write(buf.Bytes())
	}
	fmt.Fprintln(&printed, fmt.Errorf("cannot use %v: %w", s, errors.New("x")))
	require.NoError(t, toml.NewEncoder(&printed).Encode(map[string]any{"s": s}))
	require.NotContains(t, printed.String(), word)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", word))
	require.Contains(t, printed.String(), secret.Shown)
	require.Equal(t, word, s.Reveal())
}

func TestDecoding(t *testing.T) {
	var o outer
	_, err := toml.Decode("open = \""+word+"\"\nmap = { A = \"b\" }", &o)
	require.NoError(t, err)
	require.Equal(t, word, o.Open.Reveal())
	require.Equal(t, "b", o.Map["A"].Reveal())
	require.True(t, o.Deep == nil && secret.Text{}.Empty() && !o.Open.Empty())
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
