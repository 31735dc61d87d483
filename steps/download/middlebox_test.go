package download

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// middleBox is something between device and server that answers in the server's place
// for a while.
type middleBox struct {
	name string
	// answer is what it answers to a request for the file b.
	answer func(k talk, b []byte)
	// from says whose word the answer may be; waits says that it is a mere outage.
	from  speaker
	waits bool
	// says is what people are told who wait.
	says string
	// spoils says that its bytes cannot be told from the package's own before the end.
	spoils bool
}

// times is how often a box answers before the server is back. What the source may mean
// is believed after Limits.Faults times.
func (m middleBox) times() int {
	if m.from == theSource && !m.waits {
		return 2
	}
	return 12
}

// place is where in a download the box comes in.
type place struct {
	name   string
	parts  bool // of a signed bundle, else a package
	begun  bool // something was fetched before
	killed bool // and then the process was killed
}

func places() []place {
	return []place{
		{"in the head", true, false, false},
		{"in a piece", true, true, false},
		{"in a ZIP", false, true, false},
		{"in a piece after a kill", true, true, true},
		{"in a ZIP after a kill", false, true, true},
	}
}

// TestMiddleBoxes: whatever answers in the server's place, and wherever in the download,
// what was fetched stays, the device says what it waits for, and goes on when the server
// is back. A download that has nothing yet may end, with an error that says what to do.
func TestMiddleBoxes(t *testing.T) {
	boxes, h := middleBoxes(t), published(900_000, [2]int64{2000, 600_000}, [2]int64{700_000, 100_000})
	digest := sum(h.b)
	require.GreaterOrEqual(t, len(boxes), 30)
	for _, at := range places() {
		t.Run(at.name, func(t *testing.T) {
			for _, m := range boxes {
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					same := &halved{b: h.b, pieces: h.pieces, total: h.total} // it is changed by its use
					meet(t, at, m, same, digest)
				})
			}
		})
	}
}

// line is a server whose line is cut in the middle of the file, then has a box in it, and
// then is good.
type line struct {
	b     []byte
	at    place
	box   middleBox
	times int
	cut   func(k talk) // called when half of the payload was sent

	mu     sync.Mutex
	halved bool
	boxed  int
	told   []string // what the device said it waits for, at each request
}

// serve answers one request.
func (l *line) serve(k talk) {
	l.mu.Lock()
	half, box := false, false
	switch {
	case l.at.begun && !l.halved:
		half = !l.at.parts || strings.HasPrefix(k.req.Header.Get("Range"), "bytes=2000-")
		l.halved = half
	case l.boxed < l.times:
		box = true
		l.boxed++
	}
	if p := k.s.meter.Load().Pause(); p != nil {
		l.told = append(l.told, p.Why)
	}
	l.mu.Unlock()
	switch {
	case half:
		most := 450_000
		k.ranged(l.b, most)
		l.cut(k)
	case box:
		l.box.answer(k, l.b)
	default:
		k.ranged(l.b, len(l.b))
	}
}

// ranged answers as a good server does, up to byte most of the file.
func (k talk) ranged(b []byte, most int) {
	if k.req.Header.Get("Range") == "" {
		k.file(b, tag, most)
		return
	}
	k.slice(b, most)
}

func meet(t *testing.T, at place, m middleBox, h *halved, digest string) {
	ctx, kill := contextWithCause(t)
	l := &line{b: h.b, at: at, box: m, times: m.times(), cut: func(talk) {}}
	if !at.begun {
		l.times = 3
	}
	if m.spoils {
		l.times = 1
	}
	if at.killed {
		l.cut = func(k talk) {
			k.received(250_000)
			kill(errors.New("killed"))
			<-k.gone()
		}
	}
	s := serve(t, l.serve)
	task := newTask(t, func(t *steps.Task) {
		t.Source = steps.Source{URL: source.New(strings.Replace(s.url(), "r.zip", "r.tope", 1))}
		if !at.parts {
			t.Source = steps.Source{URL: source.New(s.url()), Size: int64(len(h.b)), MD5: digest}
		}
	})
	s.meter.Store(task.Meter)
	small := func(c *Config) { c.Partial = h }
	if at.killed {
		_, err := stepFor(s.clk, small).Do(ctx, task)
		require.Equal(t, steps.Interrupted, steps.AsError(err).Class, "%v", err)
		task = stepstest.Again(task)
		s.meter.Store(task.Meter)
	}
	out, err := do(t, stepFor(s.clk, small), task)
	if err != nil {
		e := steps.AsError(err)
		require.False(t, at.begun, "a download that was begun ended: %v", err)
		require.False(t, m.waits || m.from == nobody, "it did not wait: %v", err)
		require.NotEqual(t, steps.Internal, e.Code)
		require.Contains(t, []steps.Class{steps.Unavailable, steps.Refused}, e.Class)
		require.NotEmpty(t, e.Hint, "it does not say what to do: %v", err)
		return
	}
	if !at.begun && m.from == theSource {
		return // nothing is known of the file yet: Verify judges what came
	}
	got, err := os.ReadFile(filepath.Join(task.WorkDir, bundle.FileName))
	require.NoError(t, err)
	if !at.parts {
		require.True(t, bytes.Equal(h.b, got), "other bytes")
	} else {
		require.True(t, bytes.Equal(h.b[:headSize], got[:headSize]), "the head")
		for _, p := range h.pieces {
			require.True(t, bytes.Equal(h.b[p.Offset:p.End()], got[p.Offset:p.End()]), "the piece at %d", p.Offset)
		}
	}
	if !at.begun {
		return
	}
	ev, ok := out.Evidence.(Evidence)
	require.True(t, ok)
	wanted, again := int64(len(h.b)), int64(bufferSize)
	if at.parts {
		// A piece whose bytes were not those that were signed is fetched anew.
		wanted, again = headSize+700_000, 600_000+2*headSize
	}
	if m.spoils && !at.parts {
		again = wanted // nothing shows which of its bytes are wrong
	}
	require.LessOrEqual(t, ev.Received, wanted+again, "what was fetched was thrown away; events: %v", ev.Events)
	require.Nil(t, task.Meter.Pause())
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Contains(t, strings.Join(l.told, "\n"), m.says, "it was not told")
}

// TestPagesWithoutEnd: an answer that is nobody's word is waited for as long as it takes.
func TestPagesWithoutEnd(t *testing.T) {
	h := published(900_000, [2]int64{2000, 600_000})
	ctx, stop := contextWithCause(t)
	seen := errors.New("seen enough")
	l := &line{b: h.b, at: places()[1], times: 1 << 30, cut: func(talk) {}}
	l.box.answer = func(k talk, _ []byte) {
		if k.n == 200 {
			stop(seen)
		}
		k.printf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
	}
	s := serve(t, l.serve)
	task := newTask(t, at(strings.Replace(s.url(), "r.zip", "r.tope", 1)))
	s.meter.Store(task.Meter)
	_, err := stepFor(s.clk, func(c *Config) { c.Partial = h }).Do(ctx, task)
	require.ErrorIs(t, err, seen)
	require.Contains(t, task.Meter.Pause().String(), "login page")
}
