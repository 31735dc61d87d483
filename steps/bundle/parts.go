package bundle

import (
	"encoding/hex"
	"strings"

	"github.com/tope/updater/steps"
)

// ShortDigest is how many hex digits of a SHA-256 a piece's digest has at least:
// 128 bits, for which nobody can find a second content.
const ShortDigest = 32

// Piece is a run of bytes of a published bundle, in bytes, and what they must
// hash to.
type Piece struct {
	Offset, Length int64
	// SHA256 is lower-case hex digits, the first ShortDigest of them or more.
	SHA256 string
	// Content is the SHA-256 of the one content it makes; empty for several.
	Content string
	// Spare is set when something else in the bundle can take its place (Parts.Lack).
	Spare bool
}

// End is the first byte behind the piece.
func (p Piece) End() int64 { return p.Offset + p.Length }

// Is says whether the SHA-256 sum is the piece's.
func (p Piece) Is(sum []byte) bool {
	return len(p.SHA256) >= ShortDigest && strings.HasPrefix(hex.EncodeToString(sum), p.SHA256)
}

// Parts are the pieces to fetch of a bundle that is not needed as a whole.
type Parts struct {
	// Head and Total are the sizes of the head and of the published file.
	Head, Total int64
	// Pieces are in the order they lie in the file, and do not overlap.
	Pieces  []Piece
	Release steps.Release
	Wire    steps.Wire
}
