package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// sealed is a partial format for tests: a head that ends with its own SHA-256, then two
// wanted pieces with unwanted bytes between them.
type sealed struct{ file []byte }

const sealedHead, sealedPiece, sealedGap = 9000, 3000, 5000

func newSealed() sealed {
	b := bundleOf(sealedHead+2*sealedPiece+sealedGap, 7)
	copy(b, "SEALED")
	sum := sha256.Sum256(b[:sealedHead-sha256.Size])
	copy(b[sealedHead-sha256.Size:], sum[:])
	return sealed{b}
}

func (sealed) Match(begin []byte) bool { return bytes.HasPrefix(begin, []byte("SEALED")) }

func (sealed) HeadSize(begin []byte) (int64, bool, error) {
	return sealedHead, len(begin) >= sealedHead, nil
}

func (s sealed) Plan(_ context.Context, _ *steps.Task, begin []byte, _ bool) (bundle.Parts, error) {
	sum := sha256.Sum256(begin[:sealedHead-sha256.Size])
	if !bytes.Equal(sum[:], begin[sealedHead-sha256.Size:sealedHead]) {
		return bundle.Parts{}, refused(steps.BadSignature, "", "the seal is broken")
	}
	parts := bundle.Parts{Head: sealedHead, Total: int64(len(s.file)), Release: steps.Release{Version: "1.2.3", Digest: "sha256:" + hex.EncodeToString(sum[:])}}
	for _, at := range s.pieces() {
		sum := sha256.Sum256(s.file[at : at+sealedPiece])
		parts.Pieces = append(parts.Pieces, bundle.Piece{Offset: int64(at), Length: sealedPiece, SHA256: hex.EncodeToString(sum[:])})
	}
	return parts, nil
}

func (sealed) pieces() []int { return []int{sealedHead, sealedHead + sealedPiece + sealedGap} }

func (sealed) Lack(*steps.Task, []string) error            { return nil }
func (sealed) Amended(*steps.Task) error                   { return nil }
func (sealed) Admit([]byte) (steps.Release, string, error) { return steps.Release{}, "", nil }
func (sealed) Others([]byte, int64) error                  { return nil }

// A part file that was never synced may have any bytes after a power cut. They do not
// get the bundle refused or taken for another format, and they are not used.
func TestTornPartFile(t *testing.T) {
	s := newSealed()
	path := filepath.Join(t.TempDir(), "r.tope")
	require.NoError(t, os.WriteFile(path, s.file, 0o600))
	torn := func(from, to int) []byte {
		b := bytes.Clone(s.file)
		clear(b[from:to])
		return b
	}
	for name, c := range map[string]struct {
		part []byte
		note *partialNote
	}{
		"nothing was left":      {},
		"half a head":           {part: s.file[:sealedHead/2]},
		"a page of the head":    {part: torn(4096, 8192)},
		"the size alone":        {part: make([]byte, sealedHead)},
		"the size of all of it": {part: torn(0, len(s.file))},
		"a piece":               {part: torn(s.pieces()[0], s.pieces()[0]+sealedPiece)},
		"a note, and no file":   {note: &partialNote{At: 2}},
		"a note, and zeros":     {part: make([]byte, len(s.file)), note: &partialNote{At: 2}},
		"a note, and half":      {part: s.file[:sealedHead/2], note: &partialNote{At: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, func(t *steps.Task) { t.Source = steps.Source{URL: source.New(path)} })
			if c.part != nil {
				require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), c.part, 0o600))
			}
			if c.note != nil {
				parts, err := s.Plan(context.Background(), task, s.file, true)
				require.NoError(t, err)
				c.note.Key = keyOf(parts)
				require.NoError(t, task.Notes.Save(checkpoint{Offset: 2 * sealedPiece, Total: unknown, Partial: c.note}))
			}
			out, err := do(t, stepFor(newPatient(), func(c *Config) { c.Partial = s }), task)
			require.NoError(t, err)
			ev, ok := out.Evidence.(Evidence)
			require.True(t, ok)
			require.NotNil(t, ev.Wire, "it was taken for another format")
			got, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName))
			require.NoError(t, err)
			require.Len(t, got, len(s.file))
			require.True(t, bytes.Equal(s.file[:sealedHead], got[:sealedHead]), "the head")
			for _, at := range s.pieces() {
				require.True(t, bytes.Equal(s.file[at:at+sealedPiece], got[at:at+sealedPiece]), "the piece at %d", at)
			}
		})
	}
}

// A broken head is refused when the source itself sends it, also after a broken one was
// found on disk.
func TestBrokenSealIsRefused(t *testing.T) {
	s := newSealed()
	broken := bytes.Clone(s.file)
	broken[5000] ^= 1
	path := filepath.Join(t.TempDir(), "r.tope")
	require.NoError(t, os.WriteFile(path, broken, 0o600))
	for name, part := range map[string][]byte{"at once": nil, "after a cut": broken} {
		t.Run(name, func(t *testing.T) {
			task := newTask(t, func(t *steps.Task) { t.Source = steps.Source{URL: source.New(path)} })
			if part != nil {
				require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), part, 0o600))
			}
			_, err := do(t, stepFor(newPatient(), func(c *Config) { c.Partial = s }), task)
			require.Equal(t, steps.BadSignature, steps.AsError(err).Code)
		})
	}
}
