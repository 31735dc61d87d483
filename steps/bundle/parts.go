package bundle

import (
	"encoding/hex"
	"strings"

	"github.com/tope/updater/steps"
)

// ShortDigest is how many hex digits of its SHA-256 a piece's digest has at least. They
// are 128 bits, so nobody can find a second content with the same digest.
const ShortDigest = 32

// Piece is a run of bytes of a published bundle, with their digest. Offset and Length
// are in bytes.
type Piece struct {
	Offset, Length int64
	// SHA256 is in lower-case hex: the first ShortDigest digits or more.
	SHA256 string
	// Content is the SHA-256 of the one content that the piece makes; empty when it
	// makes several.
	Content string
	// Spare is set when something else in the bundle can take its place (Parts.Lack).
	Spare bool
}

// End is the offset of the first byte after the piece.
func (p Piece) End() int64 { return p.Offset + p.Length }

// Is reports whether sum is the piece's SHA-256.
func (p Piece) Is(sum []byte) bool {
	return len(p.SHA256) >= ShortDigest && strings.HasPrefix(hex.EncodeToString(sum), p.SHA256)
}

// Parts are the pieces to fetch of a bundle of which only parts are needed.
type Parts struct {
	// Head and Total are the sizes of the head and of the published file.
	Head, Total int64
	// Pieces are in the order they lie in the file, and do not overlap.
	Pieces  []Piece
	Release steps.Release
	Wire    steps.Wire
}
