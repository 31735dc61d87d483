package trust_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"
)

// reID gives a public key another key id: it is not part of the key proper.
func reID(t *testing.T, p minisign.PublicKey) minisign.PublicKey {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(p.String())
	require.NoError(t, err)
	raw[2] ^= 0xff
	var other minisign.PublicKey
	require.NoError(t, other.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(raw))))
	return other
}

// reIDPrivate gives the private key in a file another key id.
func reIDPrivate(t *testing.T, text []byte) minisign.PrivateKey {
	t.Helper()
	return withID(t, text, func(id []byte) { id[0] ^= 0xff })
}

// withID changes the key id in a private key's file, which is: algorithms, salt
// and costs (54 bytes), the key id, the key.
func withID(t *testing.T, text []byte, change func(id []byte)) minisign.PrivateKey {
	t.Helper()
	comment, line, ok := strings.Cut(string(text), "\n")
	require.True(t, ok)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
	require.NoError(t, err)
	change(raw[54:62])
	var other minisign.PrivateKey
	require.NoError(t, other.UnmarshalText([]byte(comment+"\n"+base64.StdEncoding.EncodeToString(raw))))
	return other
}

// reIDTo is p's private key under the key id of q.
func reIDTo(t *testing.T, p, q pair) minisign.PrivateKey {
	t.Helper()
	text, err := p.private.MarshalText()
	require.NoError(t, err)
	id := q.ID()
	return withID(t, text, func(raw []byte) {
		for i := range 8 {
			raw[i] = byte(id >> (8 * i))
		}
	})
}
