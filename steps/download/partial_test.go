package download

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// halved is a format whose head is two blocks and of which only some pieces are
// wanted. What is lacking is had from stand.
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
	p := bundle.Parts{Head: headSize, Total: h.total, Release: steps.Release{Version: "1.1.0", Digest: "sha256:x"}}
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
	return func(t *steps.Task) { t.Source = steps.Source{URL: url} }
}

// requirePieces checks what success promises: the head, every piece, the size.
func requirePieces(t *testing.T, h *halved, task *steps.Task, out steps.Outcome) Evidence {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(task.WorkDir, steps.BundleFile))
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

// TestPartsAlone: the head, the pieces, and gaps too small for a request of
// their own: not a byte more is asked for.
func TestPartsAlone(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 3000}, [2]int64{5500, 500}, [2]int64{500_000, 100_000})
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, []string{"0-511", "512-1023", "2000-5999", "500000-599999"}, p.asked())
	require.Equal(t, int64(1024+4000+100_000), ev.Received)
	require.Equal(t, p.bytes(), ev.Received)
}

func mustDo(t *testing.T, s *Step, task *steps.Task) steps.Outcome {
	t.Helper()
	out, err := do(t, s, task)
	require.NoError(t, err)
	return out
}

// TestNothingChanged: the head alone.
func TestNothingChanged(t *testing.T) {
	h := published(1 << 20)
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, int64(headSize), p.bytes())
}

// TestRefusedBeforeThePayload: what the head says is judged before any of the
// payload is asked for.
func TestRefusedBeforeThePayload(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 500_000})
	h.refuse = refused(steps.BadSignature, "", "no")
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.BadSignature)
	require.Equal(t, []string{"0-511", "512-1023"}, p.asked())
}

// TestTrailingData: a file that is longer than what was signed is refused.
func TestTrailingData(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 500_000})
	p := publish(t, always(append(bytes.Clone(h.b), "more"...)), nil)
	task := newTask(t, at(p.URL))
	stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.SizeMismatch)
	require.Equal(t, []string{"0-511", "512-1023"}, p.asked())
}

// cutAfter ends each connection after n bytes of body.
func cutAfter(n int) func(int, http.ResponseWriter, *http.Request) http.ResponseWriter {
	return func(_ int, w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return &cutting{w, n} }
}

type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(len(b), c.left)])
	if c.left -= n; err == nil && c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// TestPartsOverABadLine: each connection is cut; a byte that has been written
// never comes again.
func TestPartsOverABadLine(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 300_000}, [2]int64{400_000, 300_000})
	p := publish(t, always(h.b), cutAfter(bufferSize+1))
	task := newTask(t, at(p.URL))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Contains(t, kinds(ev), connectionLost)
	// What was received of a buffer that was never full comes again; no more.
	require.LessOrEqual(t, p.bytes(), int64(headSize+600_000+2*bufferSize))
}

// TestPartsAfterAKill: the next process goes on from what is on disk.
func TestPartsAfterAKill(t *testing.T) {
	h := published(4<<20, [2]int64{2000, 1 << 20}, [2]int64{2 << 20, 1 << 20})
	ctx, cancel := contextWithCause(t)
	p := publish(t, always(h.b), func(n int, w http.ResponseWriter, _ *http.Request) http.ResponseWriter {
		if n == 3 {
			cancel(errors.New("power"))
		}
		return w
	})
	task := newTask(t, at(p.URL))
	_, err := partialStep(h).Do(ctx, task)
	require.Error(t, err)
	again := mustDo(t, partialStep(h), task)
	ev := requirePieces(t, h, task, again)
	require.Positive(t, ev.ResumedBytes)
	require.LessOrEqual(t, ev.Received, int64(headSize+(2<<20)+(1<<20)))
	first := p.asked()[2]
	for _, r := range p.asked()[3:] {
		require.NotEqual(t, first, r, "the first piece was asked for again")
	}
}

// TestPartsWithoutRange: the plan is asked again, and one stream does.
func TestPartsWithoutRange(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 100_000}, [2]int64{400_000, 1000})
	p := publish(t, always(h.b), func(_ int, w http.ResponseWriter, r *http.Request) http.ResponseWriter {
		r.Header.Del("Range")
		return w
	})
	task := newTask(t, at(p.URL))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, false, h.asked[0])
	require.Contains(t, kinds(ev), rangeIgnored)
	require.Len(t, p.asked(), 1)
}

// TestWrongPieces: bytes that are not what was signed are asked for once more;
// then something else takes the place of what can be replaced, and the rest is
// refused.
func TestWrongPieces(t *testing.T) {
	good := func() *halved { return published(1<<20, [2]int64{2000, 50_000}, [2]int64{400_000, 1000}) }
	spoilt := func(h *halved, from int) func(int) []byte {
		bad := bytes.Clone(h.b)
		bad[2500] ^= 1
		return func(n int) []byte {
			if n >= from {
				return h.b
			}
			return bad
		}
	}
	t.Run("once", func(t *testing.T) {
		h := good()
		p := publish(t, spoilt(h, 3), func(_ int, w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			r.Header.Del("If-Range")
			w.Header().Del("ETag")
			return w
		})
		task := newTask(t, at(p.URL))
		require.Contains(t, kinds(requirePieces(t, h, task, mustDo(t, partialStep(h), task))), wrongPiece)
	})
	t.Run("for ever", func(t *testing.T) {
		h := good()
		p := publish(t, spoilt(h, 1000), nil)
		text := stepstest.Fails(t, partialStep(h), newTask(t, at(p.URL)), steps.Refused, steps.InvalidPackage)
		require.Contains(t, text, "not what was signed")
	})
	t.Run("and something in its place", func(t *testing.T) {
		h := good()
		h.pieces[0].Spare = true
		h.stand[h.pieces[0].Content] = h.piece(600_000, 2000)
		p := publish(t, spoilt(h, 1000), nil)
		task := newTask(t, at(p.URL))
		requirePieces(t, h, task, mustDo(t, partialStep(h), task))
		require.Len(t, h.lacked, 1)
	})
}

// TestPublishedAnew: another file under the same name is another release: its
// head is judged, and nothing of the old one stays.
func TestPublishedAnew(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 50_000})
	old := bytes.Clone(h.b)
	old[headSize-1] ^= 1
	p := publish(t, func(n int) []byte {
		if n == 0 {
			return old
		}
		return h.b
	}, nil)
	task := newTask(t, at(p.URL))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Contains(t, kinds(ev), fileChanged)
}

// TestOtherFormats: a file that is none of the format's is downloaded whole.
func TestOtherFormats(t *testing.T) {
	for name, n := range map[string]int{"large": 600_000, "smaller than a head": 100} {
		t.Run(name, func(t *testing.T) {
			b := bundleOf(n, 3)
			p := publish(t, always(b), nil)
			task := newTask(t, at(p.URL))
			h := published(1 << 20)
			requireBundle(t, task, b, mustDo(t, partialStep(h), task))
			require.Empty(t, h.asked)
		})
	}
}

// TestADeclaredMD5IsOfTheWhole: then the whole is downloaded.
func TestADeclaredMD5IsOfTheWhole(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 50_000})
	p := publish(t, always(h.b), nil)
	task := newTask(t, from(p.URL, h.b))
	requireBundle(t, task, h.b, mustDo(t, partialStep(h), task))
}

// TestConformParts: the contract of a step, from whatever a cut has left.
func TestConformParts(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 300_000}, [2]int64{400_000, 300_000})
	p := publish(t, always(h.b), nil)
	holes := make([]byte, len(h.b))
	copy(holes, h.b[:1500])
	half := bytes.Clone(holes)
	copy(half[2000:], h.b[2000:302_000])
	put := func(name string, data []byte) func(*testing.T, *stepstest.World) {
		return func(t *testing.T, w *stepstest.World) {
			require.NoError(t, os.WriteFile(filepath.Join(w.Task.WorkDir, name), data, 0o600))
		}
	}
	stepstest.Conform(t, stepstest.Case{
		New: func(t *testing.T) *stepstest.World {
			task := newTask(t, at(p.URL))
			return &stepstest.World{
				Step: journaled{partialStep(h), map[steps.Name]json.RawMessage{}}, Task: task,
				Picture: func() any {
					tree := stepstest.Tree(t, task.WorkDir)
					// Gaps that were read and gaps that were not look different, and mean nothing.
					if data, err := os.ReadFile(filepath.Join(task.WorkDir, steps.BundleFile)); err == nil {
						return []any{len(tree), len(data), sum(data[2000:302_000]), sum(data[400_000:700_000])}
					}
					return tree
				},
			}
		},
		Halves: map[string]func(*testing.T, *stepstest.World){
			"nothing written":        put(PartFile, nil),
			"half a head":            put(PartFile, h.b[:700]),
			"the head":               put(PartFile, h.b[:headSize]),
			"some of it":             put(PartFile, half),
			"holes under its name":   put(steps.BundleFile, holes),
			"named, not recorded":    put(steps.BundleFile, h.b),
			"another format's bytes": put(PartFile, bundleOf(700_000, 2)),
		},
	})
}
