package channel_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// However many keys a device has seen in its life, it remembers a few, the newest among them.
func TestAMemoryIsBounded(t *testing.T) {
	m := channel.Memory{}
	for i := range 100 {
		f := stable(int64(i + 1))
		m = m.Advance(&channel.Signed{File: f, Digest: digest("a"), Signers: []trust.Key{newSigner(t).key()}})
	}
	require.Len(t, m.Marks, 8)
	newest, ok := m.Newest()
	require.True(t, ok)
	require.EqualValues(t, 100, newest.Serial)
}

// A journal can keep a memory: it comes back as it was.
func TestAMemoryIsKeptAsJSON(t *testing.T) {
	m := channel.Memory{}.Advance(&channel.Signed{File: stable(7), Digest: digest("a"), Signers: []trust.Key{newSigner(t).key(), newSigner(t).key()}})
	text, err := json.Marshal(m)
	require.NoError(t, err)
	var again channel.Memory
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, m, again)
	text, err = json.Marshal(channel.Memory{})
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
}

// What a device remembers is not changed under the hands of who holds it.
func TestAMemoryIsNotChanged(t *testing.T) {
	one, two := newSigner(t).key(), newSigner(t).key()
	m := channel.Memory{}.Advance(&channel.Signed{File: stable(7), Digest: digest("a"), Signers: []trust.Key{one}})
	before := m.Marks[0]
	m.Advance(&channel.Signed{File: stable(8), Digest: digest("b"), Signers: []trust.Key{two, one}})
	require.Equal(t, []channel.Mark{before}, m.Marks)
	one.Use, one.State = trust.Channel, trust.Revoked
	two.Use, two.State = trust.Channel, trust.Valid
	require.Empty(t, m.Without([]trust.Key{one, two}).Marks)
	require.Equal(t, []channel.Mark{before}, m.Marks)
	one.State = trust.Expired
	require.Equal(t, m, m.Without([]trust.Key{one, two}), "a key that is out of date was not stolen")
}
