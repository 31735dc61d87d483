package filecaps

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	for data, want := range map[string]Set{
		// As setcap writes cap_net_raw=ep, and as a kernel before 2.6.26 did.
		"0100000200200000000000000000000000000000": {Permitted: 1 << 13, Effective: true},
		"000000010020000001000000":                 {Permitted: 1 << 13, Inheritable: 1},
		"0000000200000000000000000001000000000080": {Permitted: 1 << 40, Inheritable: 1 << 63},
		"0100000200000000000000000000000000000000": {},
	} {
		raw, err := hex.DecodeString(data)
		require.NoError(t, err)
		got, err := decode(raw)
		require.NoError(t, err, data)
		require.Equal(t, want, got)
	}
	for _, data := range []string{
		"", "01000002", "010000020020000000000000", "01000002002000000000000000000000000000", "0100000200200000000000000000000000000000ff",
		"0200000200200000000000000000000000000000", "0100000400200000000000000000000000000000", "010000030020000000000000000000000000000000000000",
	} {
		raw, err := hex.DecodeString(data)
		require.NoError(t, err)
		_, err = decode(raw)
		require.ErrorIs(t, err, ErrForeign, data)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Set{Permitted: 1 << 10, Effective: true}.encode())
	f.Add([]byte{1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			require.ErrorIs(t, err, ErrForeign)
			return
		}
		if s.None() {
			require.Equal(t, Set{}, s)
			return
		}
		again, err := decode(s.encode())
		require.NoError(t, err)
		require.Equal(t, s, again)
		read, err := Parse(s.String())
		require.NoError(t, err)
		require.Equal(t, s, read)
	})
}
