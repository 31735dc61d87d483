package healthcheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/health"
)

// A kind of check that a configuration may name and the gate cannot run would fail every
// update.
func TestEachKindHasItsLook(t *testing.T) {
	for _, k := range health.Kinds() {
		require.Contains(t, looks(), k)
	}
	require.Len(t, looks(), len(health.Kinds()))
}

// A version that an older updater installed may have a check that is refused
// today. It fails; the gate goes on.
func TestChecksThatAreRefusedToday(t *testing.T) {
	g := New(Config{})
	for _, c := range []health.Check{{Kind: "grpc"}, {Kind: health.Command}, {Kind: health.TCP, Address: ":"}, {Kind: health.HTTP, URL: "http://"}} {
		require.Error(t, g.look(t.Context(), nil, planned{check: c}), c.Kind)
	}
}

// The text of a check in the journal and in messages has no password.
func TestAnAnswerIsToldWithoutThePassword(t *testing.T) {
	c := health.Check{Kind: health.HTTP, URL: "http://me:s3cr3t@127.0.0.1:1/"}
	err := New(Config{}).look(t.Context(), nil, planned{check: c})
	require.ErrorContains(t, err, "127.0.0.1:1")
	require.NotContains(t, err.Error(), "s3cr3t")
}
