package bundle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
)

func TestPieceIs(t *testing.T) {
	sum := sha256.Sum256([]byte("a"))
	other := sha256.Sum256([]byte("b"))
	digits := hex.EncodeToString(sum[:])
	for _, n := range []int{bundle.ShortDigest, len(digits)} {
		p := bundle.Piece{SHA256: digits[:n]}
		require.True(t, p.Is(sum[:]))
		require.False(t, p.Is(other[:]))
	}
	for _, n := range []int{0, 1, bundle.ShortDigest - 1} {
		require.False(t, bundle.Piece{SHA256: digits[:n]}.Is(sum[:]), "a digest of %d digits accepts anything", n)
	}
}
