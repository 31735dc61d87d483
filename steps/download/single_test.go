package download

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// inTurn gives each request the answer of its number, and the last one to all that follow.
func inTurn(answers ...func(talk)) func(talk) {
	return func(k talk) { answers[min(k.n, len(answers)-1)](k) }
}

// TestAStrangerDoesNotUseUpALink: somebody else's file came where the whole file was asked
// for, because the link may be good for one request only. It shows nothing of the link: the
// next request is for everything again.
func TestAStrangerDoesNotUseUpALink(t *testing.T) {
	h := published(300_000, [2]int64{2000, 250_000})
	other := bundleOf(len(h.b), 9)
	s := serve(t, inTurn(
		func(k talk) { k.ranged(h.b, 150_000) },
		func(k talk) { k.file(other, "", -1) },
		func(k talk) { k.ranged(h.b, len(h.b)) },
	))
	t.Run("in pieces", func(t *testing.T) {
		task := newTask(t, at(s.url())) // the name is that of a package
		requirePieces(t, h, task, mustDo(t, partialStep(h), task))
		require.Equal(t, []string{"", "", ""}, s.ranges())
	})

	s = serve(t, inTurn(
		func(k talk) { k.file(h.b, tag, 150_000) },
		func(k talk) { k.file(other, "", -1) },
		func(k talk) { k.file(h.b, tag, -1) },
	))
	t.Run("whole", func(t *testing.T) {
		task := newTask(t, from(s.url(), h.b))
		require.NoError(t, task.Notes.Save(checkpoint{Total: unknown, Single: true}))
		requireBundle(t, task, h.b, mustDo(t, stepFor(s.clk), task))
		require.Equal(t, []string{"", "", ""}, s.ranges())
	})
}

// TestAStrangerDoesNotShowThatThereAreNoRanges: a source that was taken for one without
// ranges, by answers that were somebody else's, is asked for what lacks again.
func TestAStrangerDoesNotShowThatThereAreNoRanges(t *testing.T) {
	h := published(300_000, [2]int64{2000, 250_000})
	other := bundleOf(len(h.b), 9)
	ignored := func(k talk) { k.req.Header.Del("Range"); k.ranged(h.b, len(h.b)) }
	stranger := func(k talk) { k.req.Header.Del("Range"); k.file(other, "", -1) }
	good := func(k talk) { k.ranged(h.b, len(h.b)) }
	t.Run("in pieces", func(t *testing.T) {
		s := serve(t, inTurn(good, good, ignored, ignored, ignored, stranger, good))
		task := newTask(t, at(strings.TrimSuffix(s.url(), "zip")+"tope"))
		requirePieces(t, h, task, mustDo(t, partialStep(h), task))
		require.Contains(t, s.ranges()[6], "bytes=2000-")
	})
	t.Run("whole", func(t *testing.T) {
		cut := func(k talk) { k.file(h.b, tag, 150_000) }
		s := serve(t, inTurn(cut, ignored, ignored, ignored, stranger, good))
		task := newTask(t, from(s.url(), h.b))
		requireBundle(t, task, h.b, mustDo(t, stepFor(s.clk), task))
		require.Equal(t, "bytes=150000-", s.ranges()[5])
	})
}

// TestALinkThatIsUsedUpByAnIgnoredRange: the server has no ranges, and its links are good
// for a few requests. The answer that ignored the range was one too many; the next link is
// asked for everything at once.
func TestALinkThatIsUsedUpByAnIgnoredRange(t *testing.T) {
	b := bundleOf(300_000, 3)
	gone := answer("HTTP/1.1 410 Gone\nContent-Length: 0")
	s := serve(t, inTurn(
		func(k talk) { k.file(b, tag, 150_000) },
		func(k talk) { k.req.Header.Del("Range"); k.file(b, tag, -1) },
		gone,
	))
	shelf := filepath.Join(t.TempDir(), "shelf")
	config := func(c *Config) { c.Shelf = shelf }
	task := newTask(t, from(s.url()+"?link=1", b))
	stepstest.Fails(t, stepFor(s.clk, config), task, steps.Unavailable, steps.DownloadFailed)
	require.NoError(t, stepFor(s.clk, config).Undo(t.Context(), task))

	once := serve(t, inTurn(func(k talk) { k.req.Header.Del("Range"); k.file(b, tag, -1) }, gone))
	task = newTask(t, from(once.url()+"?link=2", b))
	ev := requireBundle(t, task, b, mustDo(t, stepFor(once.clk, config), task))
	require.Equal(t, []string{""}, once.ranges())
	require.Zero(t, ev.Retries)
}
