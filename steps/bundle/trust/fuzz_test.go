package trust

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"
)

// FuzzLoad gives a device any files in its key directory: keys.signed as a whole,
// keys.json with its signature, and a .pub file. Keys are trusted only when they are in a
// .pub file, or in the document that the root key has signed, as it was signed.
func FuzzLoad(f *testing.F) {
	public, private := fixedKey(f)
	root := roots{keys: []named{{public, "root.pub"}}, threshold: 1}
	good := minisign.Sign(private, []byte(whole))
	signed, err := encodeSigned([]byte(whole), []signature{{"a", good}})
	require.NoError(f, err)
	f.Add(signed, []byte(whole), good, []byte(line+"\n"))
	f.Add([]byte(strings.Replace(string(signed), `"schema": 1`, `"schema": 2`, 1)), []byte(whole+" "), good, []byte("untrusted comment: x\n"+other+"\n"))
	f.Add([]byte(`{"schema":1,"keys":"","signatures":[null,""]}`), []byte(`{}`), []byte("untrusted comment: x\n"), []byte{})
	f.Add([]byte(`{"schema":1,"keys":null,"signatures":null}`), []byte(nil), good[:40], []byte("RW"))
	dir := f.TempDir()
	put := func(t *testing.T, name string, text []byte) {
		path := filepath.Join(dir, name)
		if len(text) == 0 {
			require.NoError(t, os.RemoveAll(path))
			return
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, signed, keys, sig, pub []byte) {
		if d, err := root.openSigned(signed); err == nil {
			require.Equal(t, whole, string(d.text), "only what was signed is read")
		}
		put(t, "root/root.pub", []byte(public.String()+"\n"))
		put(t, "keys.signed", signed)
		put(t, "keys.json", keys)
		put(t, "keys.json.minisig", sig)
		put(t, "a.pub", pub)
		k, err := Load(dir, now)
		if err != nil {
			require.Nil(t, k)
			return
		}
		require.False(t, k.Open(), "there is a root key")
		for _, key := range k.List() {
			switch key.From {
			case FromFile:
				require.Contains(t, string(pub), key.Public)
			default:
				require.Contains(t, []string{line, other}, key.Public)
			}
		}
		if r := k.Rotation(); r.Serial != 0 {
			require.EqualValues(t, 7, r.Serial)
		}
		_, err = json.Marshal(k.List())
		require.NoError(t, err)
	})
}

// fixedKey is the same key in each process: the fuzzer's workers share inputs.
func fixedKey(t testing.TB) (public, minisign.PrivateKey) {
	t.Helper()
	pub, private, err := minisign.GenerateKey(strings.NewReader(strings.Repeat("not a secret at all, but the same. ", 8)))
	require.NoError(t, err)
	p, err := parsePublic(pub.String())
	require.NoError(t, err)
	return p, private
}
