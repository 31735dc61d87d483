package trust_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/trust"
)

const release = "what was released"

// today is the time at which the tests take place.
func today() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// pair is the key pair of a signer.
type pair struct {
	minisign.PublicKey
	private minisign.PrivateKey
}

func newPair(t *testing.T) pair {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	return pair{public, private}
}

func (p pair) id() string { return fmt.Sprintf("%016X", p.ID()) }

// pub is the content of the .pub file.
func (p pair) pub(t *testing.T) string {
	t.Helper()
	text, err := p.MarshalText()
	require.NoError(t, err)
	return string(text) + "\n"
}

func (p pair) sign(message string) []byte { return minisign.Sign(p.private, []byte(message)) }

// underAnotherID is the same key with another key id, as an attacker could choose one.
func (p pair) underAnotherID(t *testing.T) pair {
	t.Helper()
	raw, err := p.private.MarshalText()
	require.NoError(t, err)
	return pair{reID(t, p.PublicKey), reIDPrivate(t, raw)}
}

// files are put below a directory: name to content.
type files map[string]string

func put(t *testing.T, dir string, f files) {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

func dirWith(t *testing.T, f files) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, f)
	return dir
}

// entry has the fields of a key in keys.json besides name and key.
type entry map[string]any

func (p pair) entry(name string, more entry) entry {
	e := entry{"name": name, "key": p.String()}
	for k, v := range more {
		e[k] = v
	}
	return e
}

func keysJSON(t *testing.T, serial int, expires string, keys ...entry) string {
	t.Helper()
	file := map[string]any{"schema": 1, "serial": serial, "keys": keys}
	if expires != "" {
		file["expires"] = expires
	}
	text, err := json.Marshal(file)
	require.NoError(t, err)
	return string(text)
}

// rotated is a directory with one root key, and a keys.json that it signed.
func rotated(t *testing.T, root pair, text string) string {
	t.Helper()
	return dirWith(t, files{"root/a.pub": root.pub(t), "keys.json": text, "keys.json.minisig": string(root.sign(text))})
}

func load(t *testing.T, dir string) *trust.Keys {
	t.Helper()
	k, err := trust.Load(dir, today())
	require.NoError(t, err)
	return k
}

func refused(t *testing.T, dir, why string) {
	t.Helper()
	k, err := trust.Load(dir, today())
	require.ErrorContains(t, err, why)
	require.Nil(t, k)
}
