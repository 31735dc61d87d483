package download

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// halved is a format whose head is two blocks and of which only some pieces are
// wanted. stand replaces lacking pieces.
type halved struct {
	mu     sync.Mutex
	b      []byte
	pieces []bundle.Piece
	stand  map[string]bundle.Piece
	total  int64
	// asked are the answers to "ranged" in the order of the plans.
	asked  []bool
	lacked []string
	refuse error
	// by is the key that has signed it.
	by string
	// revoked: that key is not on the device any more when the parts are planned.
	revoked bool
	// closed: no other format is taken.
	closed bool
}

const headSize = 1024

// published is a file of n bytes, and a format that wants these ranges of it.
func published(n int, ranges ...[2]int64) *halved {
	b := bundleOf(n, 7)
	copy(b, "PARTS")
	h := &halved{b: b, total: int64(n), stand: map[string]bundle.Piece{}}
	for _, r := range ranges {
		h.pieces = append(h.pieces, h.piece(r[0], r[1]))
	}
	return h
}

func (h *halved) piece(offset, length int64) bundle.Piece {
	sum := sha256.Sum256(h.b[offset : offset+length])
	digest := hex.EncodeToString(sum[:])
	return bundle.Piece{Offset: offset, Length: length, SHA256: digest, Content: digest}
}

func (h *halved) Match(begin []byte) bool { return bytes.HasPrefix(begin, []byte("PARTS")) }

func (h *halved) HeadSize(begin []byte) (int64, bool, error) {
	return headSize, len(begin) >= headSize, nil
}

func (h *halved) Plan(_ context.Context, _ *steps.Task, begin []byte, ranged bool) (bundle.Parts, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, ranged)
	if h.refuse != nil {
		return bundle.Parts{}, h.refuse
	}
	if !bytes.Equal(begin, h.b[:headSize]) {
		return bundle.Parts{}, refused(steps.InvalidPackage, "", "another head")
	}
	p := bundle.Parts{Head: headSize, Total: h.total, Release: steps.Release{Version: "1.1.0", Digest: "sha256:x"}, Wire: steps.Wire{SignedBy: h.by}}
	if h.revoked {
		p.Wire.SignedBy = ""
	}
	for _, piece := range h.pieces {
		for _, l := range h.lacked {
			if s, ok := h.stand[l]; ok && l == piece.Content {
				piece = s
			}
		}
		p.Pieces = append(p.Pieces, piece)
	}
	slices.SortFunc(p.Pieces, func(a, b bundle.Piece) int { return cmp.Compare(a.Offset, b.Offset) })
	return p, nil
}

func (h *halved) Lack(_ *steps.Task, contents []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lacked = append(h.lacked, contents...)
	return nil
}

// Others takes every other format, unless the device is closed.
func (h *halved) Others([]byte, int64) error {
	if h.closed {
		return refused(steps.BadSignature, "", "this device takes no packages")
	}
	return nil
}

func (h *halved) Admit([]byte) (steps.Release, string, error) {
	return steps.Release{Version: "1.1.0", Digest: "sha256:x"}, h.by, h.refuse
}

func (h *halved) Amended(*steps.Task) error { return nil }

// publisher serves a file with Range; each may spoil an answer.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	ranges []string
	sent   int64
}

func publish(t *testing.T, b func(n int) []byte, wrap func(n int, w http.ResponseWriter, r *http.Request) http.ResponseWriter) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		n := len(p.ranges)
		p.ranges = append(p.ranges, strings.TrimPrefix(r.Header.Get("Range"), "bytes="))
		p.mu.Unlock()
		data := b(n)
		sum := sha256.Sum256(data)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		if wrap != nil {
			w = wrap(n, w, r)
		}
		http.ServeContent(counted{w, p}, r, "x.tope", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(p.Close)
	return p
}

type counted struct {
	http.ResponseWriter
	p *publisher
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.p.mu.Lock()
	c.p.sent += int64(n)
	c.p.mu.Unlock()
	return n, err
}

func (p *publisher) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.ranges...)
}

func (p *publisher) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func always(b []byte) func(int) []byte { return func(int) []byte { return b } }

func partialStep(h *halved, edits ...func(*Config)) *Step {
	return stepFor(newPatient(), append([]func(*Config){func(c *Config) { c.Partial = h }}, edits...)...)
}

func at(url string) func(*steps.Task) {
	return func(t *steps.Task) { t.Source = steps.Source{URL: source.New(url)} }
}

// requirePieces checks what success promises: the head, every piece, the size.
func requirePieces(t *testing.T, h *halved, task *steps.Task, out steps.Outcome) Evidence {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName))
	require.NoError(t, err)
	require.Len(t, got, len(h.b))
	require.Equal(t, h.b[:headSize], got[:headSize])
	parts, err := h.Plan(t.Context(), task, h.b[:headSize], true)
	require.NoError(t, err)
	for _, p := range parts.Pieces {
		require.True(t, bytes.Equal(h.b[p.Offset:p.End()], got[p.Offset:p.End()]), "the piece at %d is another", p.Offset)
	}
	require.NoFileExists(t, filepath.Join(task.WorkDir, PartFile))
	ev, ok := out.Evidence.(Evidence)
	require.True(t, ok)
	require.Equal(t, "sha256:x", ev.Digest)
	require.Equal(t, "sha256:x", out.Release.Digest)
	done, total := task.Meter.Read()
	require.Equal(t, total, done)
	return ev
}
