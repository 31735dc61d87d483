package download

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// TestThePartBelongsToTheRelease: an update ends with half of its bundle fetched, by a
// link that has expired or by a cancel. The next update to the same release goes on from
// there, from another server and by another link; one to another release does not.
func TestThePartBelongsToTheRelease(t *testing.T) {
	h := published(900_000, [2]int64{2000, 600_000}, [2]int64{700_000, 100_000})
	other := published(900_000, [2]int64{2000, 600_000})
	other.b = bundleOf(900_000, 9)
	copy(other.b, "PARTS")
	other.pieces = []bundle.Piece{other.piece(2000, 600_000)}
	declared := func(b []byte) func(*steps.Source) {
		return func(s *steps.Source) { s.Size, s.MD5 = int64(len(b)), sum(b) }
	}
	for name, c := range map[string]struct {
		path   string
		source func(*steps.Source)
		// next is the second update's source, and now what its server has.
		nextPath string
		next     func(*steps.Source)
		now      *halved
		all      int64 // bytes of the whole download
		goesOn   bool
	}{
		"a package":                       {"/a.zip?t=1", declared(h.b), "/elsewhere/b.zip?t=2", declared(h.b), h, 900_000, true},
		"another package":                 {"/a.zip?t=1", declared(h.b), "/a.zip?t=2", declared(other.b), other, 900_000, false},
		"a signed bundle":                 {"/a.tope?t=1", nil, "/elsewhere/b?t=2", nil, h, headSize + 700_000, true},
		"another signed bundle":           {"/a.tope?t=1", nil, "/a.tope?t=2", nil, other, headSize + 600_000, false},
		"a signed bundle, then a package": {"/a.tope?t=1", nil, "/a.zip", declared(other.b), other, 900_000, false},
	} {
		for _, end := range []string{"expired", "cancelled"} {
			t.Run(name+", "+end, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "shelf")
				config := func(h *halved) func(*Config) { return func(c *Config) { c.Partial, c.Shelf = h, dir } }
				ctx, cancel := contextWithCause(t)
				var halfway atomic.Bool
				s := serve(t, func(k talk) {
					switch {
					case halfway.Load():
						answer("HTTP/1.1 403 Forbidden\nContent-Length: 0")(k)
					case strings.Contains(k.req.URL.Path, "zip") || strings.HasPrefix(k.req.Header.Get("Range"), "bytes=2000-"):
						halfway.Store(true)
						k.ranged(h.b, 450_000)
						if end == "cancelled" {
							k.received(250_000)
							cancel(errors.New("cancelled"))
							<-k.gone()
						}
					default:
						k.ranged(h.b, len(h.b))
					}
				})
				base := strings.TrimSuffix(s.url(), "/r.zip")
				task := newTask(t, at(base+c.path))
				if c.source != nil {
					c.source(&task.Source)
				}
				s.meter.Store(task.Meter)
				step := stepFor(s.clk, config(h))
				_, err := step.Do(ctx, task)
				require.Error(t, err)
				if end == "expired" {
					require.Contains(t, err.Error(), "403 Forbidden; the link has expired")
					require.Equal(t, steps.Unavailable, steps.AsError(err).Class)
				}
				require.NoError(t, step.Undo(t.Context(), task))
				left, err := os.ReadDir(task.WorkDir)
				require.NoError(t, err)
				require.Empty(t, left)
				note, err := os.ReadFile(filepath.Join(dir, NoteFile))
				require.NoError(t, err)
				require.NotContains(t, string(note), "t=1", "the link's secret is kept")

				fresh := serve(t, func(k talk) { k.ranged(c.now.b, len(c.now.b)) })
				next := newTask(t, at(strings.TrimSuffix(fresh.url(), "/r.zip")+c.nextPath))
				if c.next != nil {
					c.next(&next.Source)
				}
				out, err := do(t, stepFor(fresh.clk, config(c.now)), next)
				require.NoError(t, err)
				ev := out.Evidence.(Evidence)
				got, err := os.ReadFile(filepath.Join(next.WorkDir, bundle.FileName))
				require.NoError(t, err)
				for _, p := range c.now.pieces {
					require.Equal(t, sum(c.now.b[p.Offset:p.End()]), sum(got[p.Offset:p.End()]))
				}
				if c.goesOn {
					require.LessOrEqual(t, ev.Received, c.all-250_000, "it was fetched again; events: %v", ev.Events)
					require.Contains(t, kinds(ev), fromTheShelf)
				} else {
					require.GreaterOrEqual(t, ev.Received, c.all)
					require.NotContains(t, kinds(ev), fromTheShelf)
				}
				kept, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, kept, "the shelf still takes room")
			})
		}
	}
}

// TestAPackageWithoutADigestGoesOn: nothing was declared, so only the same place with the
// same validator shows that a fresh link leads to the same package.
func TestAPackageWithoutADigestGoesOn(t *testing.T) {
	b := bundleOf(900_000, 1)
	dir := filepath.Join(t.TempDir(), "shelf")
	for name, c := range map[string]struct {
		etag string
		most int64
	}{"the same file": {tag, 450_000}, "another file": {`"v2"`, 900_000}} {
		t.Run(name, func(t *testing.T) {
			var second atomic.Bool
			s := serve(t, func(k talk) {
				switch {
				case second.Load():
					k.file(b, c.etag, -1)
				case k.n == 0:
					k.file(b, tag, 450_000)
				default:
					answer("HTTP/1.1 403 Forbidden\nContent-Length: 0")(k)
				}
			})
			config := func(c *Config) { c.Partial, c.Shelf = published(2000), dir }
			task := newTask(t, at(s.url()+"?t=1"))
			step := stepFor(s.clk, config)
			stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.NoError(t, step.Undo(t.Context(), task))
			second.Store(true)
			next := newTask(t, at(s.url()+"?t=2"))
			out, err := do(t, step, next)
			require.NoError(t, err)
			require.LessOrEqual(t, requireBundle(t, next, b, out).Received, c.most)
		})
	}
}

// TestLinksThatAreGoodOnce: a package costs one request. So does a signed bundle from the
// second link on: nobody can know of the first that it is good once.
func TestLinksThatAreGoodOnce(t *testing.T) {
	h := published(300_000, [2]int64{2000, 100_000})
	used := map[string]bool{}
	s := serve(t, func(k talk) {
		link := k.req.URL.String() // requests come one after the other
		if used[link] {
			answer("HTTP/1.1 410 Gone\nContent-Length: 0")(k)
			return
		}
		used[link] = true
		k.ranged(h.b, len(h.b))
	})
	base := strings.TrimSuffix(s.url(), "/r.zip")
	config := func(c *Config) { c.Partial, c.Shelf = h, filepath.Join(t.TempDir(), "shelf") }

	plain := bundleOf(300_000, 3)
	once := serve(t, first(func(k talk) { k.file(plain, tag, -1) }, answer("HTTP/1.1 410 Gone\nContent-Length: 0")))
	task := newTask(t, at(once.url()+"?once"))
	out, err := do(t, stepFor(once.clk, config), task)
	require.NoError(t, err)
	requireBundle(t, task, plain, out)
	require.Equal(t, 1, once.requests())

	step := stepFor(s.clk, config)
	task = newTask(t, at(base+"/a.tope?once=1"))
	text := stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
	require.Contains(t, text, "was good for one request: install with a fresh one")
	require.NoError(t, step.Undo(t.Context(), task))

	before := s.requests()
	task = newTask(t, at(base+"/a.tope?once=2"))
	requirePieces(t, h, task, mustDo(t, step, task))
	require.Equal(t, 1, s.requests()-before)
}

// TestAnotherAnswerDoesNotEmptyTheShelf: an answer that nobody has judged, or whose head is
// refused, says nothing of what was fetched before.
func TestAnotherAnswerDoesNotEmptyTheShelf(t *testing.T) {
	h := published(900_000, [2]int64{2000, 600_000}, [2]int64{700_000, 100_000})
	theirs := published(900_000)
	theirs.b[headSize-1] ^= 1
	for name, c := range map[string]struct {
		answer  func(talk)
		refused bool
	}{
		"a portal's":          {answer("HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 14\n\nLogin required"), false}, // Verify refuses it
		"a stranger's bundle": {func(k talk) { k.ranged(theirs.b, len(h.b)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(k talk) {
				switch link := k.req.URL.RawQuery; {
				case link == "t=2":
					c.answer(k)
				case link == "t=3":
					k.ranged(h.b, len(h.b))
				case k.n < 3: // the head, and half of a piece
					k.ranged(h.b, 450_000)
				default:
					answer("HTTP/1.1 403 Forbidden\nContent-Length: 0")(k)
				}
			})
			base := strings.TrimSuffix(s.url(), "/r.zip") + "/a.tope?"
			step := stepFor(s.clk, func(c *Config) { c.Partial, c.Shelf = h, filepath.Join(t.TempDir(), "shelf") })
			task := newTask(t, at(base+"t=1"))
			stepstest.Fails(t, step, task, steps.Unavailable, steps.DownloadFailed)
			require.NoError(t, step.Undo(t.Context(), task))

			task = newTask(t, at(base+"t=2"))
			_, err := do(t, step, task)
			require.Equal(t, c.refused, err != nil, "%v", err)
			require.NoError(t, step.Undo(t.Context(), task))

			task = newTask(t, at(base+"t=3"))
			require.Contains(t, kinds(requirePieces(t, h, task, mustDo(t, step, task))), fromTheShelf)
		})
	}
}

// TestARepeatedCleanUpKeepsThePart: the part is on the shelf already when the power goes,
// and the clean-up is done again.
func TestARepeatedCleanUpKeepsThePart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shelf")
	step := stepFor(newPatient(), func(c *Config) { c.Shelf = dir })
	task := newTask(t, at("https://updates.test/a.tope?t=1"))
	require.NoError(t, task.Notes.Save(checkpoint{Offset: 100_000, Single: true}))
	require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), make([]byte, 100_000), 0o600))
	for range 2 {
		require.NoError(t, step.Undo(t.Context(), task))
		require.FileExists(t, filepath.Join(dir, PartFile))
		require.FileExists(t, filepath.Join(dir, NoteFile))
	}
}

// crowded is a format whose plans need room, too.
type crowded struct {
	*halved
	room func() error
}

func (c crowded) Plan(ctx context.Context, t *steps.Task, begin []byte, ranged bool) (bundle.Parts, error) {
	if c.room() != nil {
		return bundle.Parts{}, &steps.Error{Class: steps.Unavailable, Code: steps.DiskFull, Err: c.room()}
	}
	return c.halved.Plan(ctx, t, begin, ranged)
}

// TestTheShelfMakesRoom: an update that lacks room takes that of the shelf, and does not
// fail for the sake of a part that may never be asked for.
func TestTheShelfMakesRoom(t *testing.T) {
	h := published(900_000, [2]int64{2000, 600_000})
	for name, md5 := range map[string]string{"a package": sum(h.b), "a signed bundle": ""} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "shelf")
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, NoteFile), []byte(`{"offset":100000,"md5":"another"}`), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, PartFile), make([]byte, 100_000), 0o600))
			room := func() error {
				if _, err := os.Stat(filepath.Join(dir, PartFile)); err == nil {
					return disk.ErrNoSpace
				}
				return nil
			}
			s := serve(t, func(k talk) { k.ranged(h.b, len(h.b)) })
			task := newTask(t, at(strings.Replace(s.url(), "r.zip", "r", 1)))
			task.Source.MD5 = md5
			mustDo(t, stepFor(s.clk, func(c *Config) {
				c.Partial, c.Shelf = crowded{h, room}, dir
				c.Preflight = func(string, uint64, uint64) error { return room() }
			}), task)
		})
	}
}
