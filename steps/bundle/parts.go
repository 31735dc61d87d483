package bundle

import "github.com/tope/updater/steps"

// Piece is a run of bytes of a published bundle, in bytes, and what they must
// hash to.
type Piece struct {
	Offset, Length int64
	// SHA256 is 64 lower-case hex digits.
	SHA256 string
	// Content is the SHA-256 of the one content it makes; empty for several.
	Content string
	// Spare: something else in the bundle can take its place (Parts.Lack).
	Spare bool
}

// End is the first byte behind the piece.
func (p Piece) End() int64 { return p.Offset + p.Length }

// Parts is what has to be fetched of a bundle that is not needed as a whole.
type Parts struct {
	// Head and Total are the sizes of the head and of the published file.
	Head, Total int64
	// Pieces are in the order they lie in the file, and do not overlap.
	Pieces  []Piece
	Release steps.Release
	Wire    steps.Wire
}
