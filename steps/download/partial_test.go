package download

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// TestPartsAlone: the step requests the head, the pieces, and gaps too small for a
// request of their own, and not a byte more.
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

// TestNothingChanged: the step requests only the head.
func TestNothingChanged(t *testing.T) {
	h := published(1 << 20)
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, int64(headSize), p.bytes())
}

// TestRefusedBeforeThePayload: the head is judged before any of the payload is
// requested.
func TestRefusedBeforeThePayload(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 500_000})
	h.refuse = refused(steps.BadSignature, "", "no")
	p := publish(t, always(h.b), nil)
	task := newTask(t, at(p.URL))
	stepstest.Fails(t, partialStep(h), task, steps.Refused, steps.BadSignature)
	require.Equal(t, []string{"0-511", "512-1023"}, p.asked())
}

// TestTrailingData: a file that is longer than the signed bundle is refused.
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

// TestPartsOverABadLine: each connection is cut; a byte that has been written is never
// fetched again.
func TestPartsOverABadLine(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 300_000}, [2]int64{400_000, 300_000})
	p := publish(t, always(h.b), cutAfter(bufferSize+1))
	task := newTask(t, at(p.URL))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Contains(t, kinds(ev), connectionLost)
	// Only the bytes of a buffer that was never full are fetched again.
	require.LessOrEqual(t, p.bytes(), int64(headSize+600_000+2*bufferSize))
}

// TestPartsAfterAKill: the next process goes on from the bytes on disk.
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

// TestPartsWithoutRange: Plan is called again, and one stream brings everything.
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

// TestWrongPieces: a piece with other bytes than the signed ones is fetched once more.
// If it is wrong again, another piece takes its place, or the bundle is refused when
// none can.
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
	t.Run("always", func(t *testing.T) {
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

// TestPublishedAnew: another file under the same name is another release: its head is
// judged, and no byte of the old file stays.
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

// TestTheDoubtStays: something on the way answers with another file's bytes for a while.
// Nothing that the look at the head brings in that time makes the step trust it again.
func TestTheDoubtStays(t *testing.T) {
	theirs := published(1 << 20)
	theirs.b[headSize-1] ^= 1
	for name, other := range map[string][]byte{"of no bundle": bundleOf(1<<20, 9), "of a stranger's bundle": theirs.b} {
		t.Run(name, func(t *testing.T) {
			h := published(1<<20, [2]int64{2000, 50_000})
			p := publish(t, func(n int) []byte {
				if n < 2 || n > 8 {
					return h.b
				}
				return append(bytes.Clone(other[:2000]), bytes.Repeat([]byte("x"), len(h.b)-2000)...)
			}, nil)
			task := newTask(t, at(p.URL))
			ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
			require.Equal(t, []string{wrongPiece, fileChanged}, kinds(ev))
		})
	}
}

// TestLooksCloseTheirRequests: a look at a source without ranges is answered with a whole
// file. When it is another, its request is not kept for a download.
func TestLooksCloseTheirRequests(t *testing.T) {
	h, other := published(300_000, [2]int64{2000, 50_000}), bundleOf(300_000, 9)
	closed := make(chan struct{}, 3)
	s := serve(t, func(k talk) {
		switch {
		case k.n == 0:
			k.body(append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"), append(bytes.Clone(h.b[:2000]), other[2000:]...)...))
		case k.n < 4:
			k.printf("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
			k.body(other[:2000])
			<-k.gone()
			closed <- struct{}{}
		default:
			for range 3 {
				<-closed
			}
			k.printf("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
			k.body(h.b)
		}
	})
	task := newTask(t, at(strings.Replace(s.url(), "r.zip", "r.tope", 1)))
	ev := requirePieces(t, h, task, mustDo(t, partialStep(h), task))
	require.Equal(t, []string{rangeIgnored, wrongPiece, fileChanged}, kinds(ev))
}

// TestOtherFormats: a file of another format is downloaded whole.
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

// TestADeclaredMD5IsOfTheWhole: with a declared MD5 the whole bundle is downloaded.
func TestADeclaredMD5IsOfTheWhole(t *testing.T) {
	h := published(1<<20, [2]int64{2000, 50_000})
	p := publish(t, always(h.b), nil)
	task := newTask(t, from(p.URL, h.b))
	requireBundle(t, task, h.b, mustDo(t, partialStep(h), task))
}

// TestConformParts: the step keeps its contract from every state that a cut may leave.
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
				Step: journaled{partialStep(h), t, new(steps.Task)}, Task: task,
				Picture: func() any {
					tree := stepstest.Tree(t, task.WorkDir)
					// The bytes in the gaps do not matter, and depend on whether a gap was read.
					if data, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName)); err == nil {
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
			"holes under its name":   put(bundle.FileName, holes),
			"named, not recorded":    put(bundle.FileName, h.b),
			"another format's bytes": put(PartFile, bundleOf(700_000, 2)),
		},
	})
}
