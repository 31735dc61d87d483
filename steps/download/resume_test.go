package download

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/stepstest"
)

// honest are notes that check a checkpoint's promise at every save: its bytes are in
// the file, and its hash is the hash of these bytes.
type honest struct {
	*stepstest.Notes
	t   *testing.T
	dir string
}

func (h honest) Save(v any) error {
	c, ok := v.(checkpoint)
	require.True(h.t, ok)
	if c.Offset > 0 {
		h.check(c)
	}
	return h.Notes.Save(v)
}

func (h honest) check(c checkpoint) {
	f, err := os.Open(filepath.Join(h.dir, PartFile))
	require.NoError(h.t, err)
	defer f.Close()
	want := md5.New()
	_, err = io.CopyN(want, f, c.Offset)
	require.NoError(h.t, err, "the checkpoint claims bytes that the file does not have")
	got := md5.New()
	require.NoError(h.t, restore(got, c.Hash))
	require.Equal(h.t, want.Sum(nil), got.Sum(nil), "the checkpoint's hash is of other bytes")
}

// image copies the disk as it is at this moment, and returns the task as the engine
// makes it after a kill.
func image(t *testing.T, task *steps.Task, notes *stepstest.Notes) (*steps.Task, *stepstest.Notes) {
	t.Helper()
	next := stepstest.Again(task)
	next.WorkDir = t.TempDir()
	require.NoError(t, os.CopyFS(next.WorkDir, os.DirFS(task.WorkDir)))
	kept := stepstest.NewNotes()
	kept.SetRaw(notes.Raw())
	next.Notes = honest{kept, t, next.WorkDir}
	return next, kept
}

func saved(t *testing.T, notes *stepstest.Notes) checkpoint {
	t.Helper()
	var c checkpoint
	found, err := notes.Load(&c)
	require.NoError(t, err)
	require.True(t, found, "no checkpoint was saved")
	return c
}

// TestResumeAfterKill kills a download in the middle and counts, at the server, the
// bytes that the next one fetches: exactly those that the checkpoint does not cover.
func TestResumeAfterKill(t *testing.T) {
	b := bundleOf(10<<20, 1)
	tails := map[string]func(t *testing.T, part string, at int64){
		"as it was": func(*testing.T, string, int64) {},
		"unsynced bytes lost": func(t *testing.T, part string, at int64) {
			require.NoError(t, os.Truncate(part, at))
		},
		"unsynced bytes are zeros": func(t *testing.T, part string, at int64) {
			require.NoError(t, os.Truncate(part, at))
			require.NoError(t, os.Truncate(part, at+3<<20))
		},
		"more than there ever was": func(t *testing.T, part string, _ int64) {
			require.NoError(t, os.Truncate(part, int64(len(b))+4096))
		},
	}
	for name, tail := range tails {
		t.Run(name, func(t *testing.T) {
			reached, killed := make(chan struct{}), make(chan struct{})
			s := serve(t, first(func(k talk) {
				k.printf("HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n", tag, len(b))
				for at := 0; at < 7<<20; at += 1 << 20 {
					k.body(b[at : at+1<<20])
					k.received(at + 1<<20)
					k.s.clk.Advance(time.Second)
				}
				close(reached)
				<-killed
			}, func(k talk) { k.file(b, tag, -1) }))
			notes := stepstest.NewNotes()
			task := newTask(t, from(s.url(), b))
			task.Notes = honest{notes, t, task.WorkDir}
			s.meter.Store(task.Meter)

			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				_, err := stepFor(s.clk).Do(ctx, task)
				ended <- err
			}()
			<-reached
			after, kept := image(t, task, notes)
			cancel()
			require.Error(t, <-ended)
			close(killed)

			c := saved(t, kept)
			require.GreaterOrEqual(t, c.Offset, int64(4<<20))
			tail(t, filepath.Join(after.WorkDir, PartFile), c.Offset)
			before := s.bytesSent()
			out, err := do(t, stepFor(s.clk), after)
			require.NoError(t, err)
			ev := requireBundle(t, after, b, out)
			require.Equal(t, int64(len(b))-c.Offset, s.bytesSent()-before, "the server sent more than what was missing")
			require.Equal(t, []string{"", fmt.Sprintf("bytes=%d-", c.Offset)}, s.ranges())
			require.Equal(t, 1, ev.Resumed)
			require.Equal(t, c.Offset, ev.ResumedBytes)
		})
	}
}

// TestCutsCostNothing: within one process, not even the bytes since the checkpoint are
// fetched again.
func TestCutsCostNothing(t *testing.T) {
	b := bundleOf(1<<20, 1)
	s := serve(t, func(k talk) { k.file(b, tag, 100_000) })
	task := newTask(t, from(s.url(), b))
	out, err := do(t, stepFor(s.clk), task)
	require.NoError(t, err)
	ev := requireBundle(t, task, b, out)
	require.Equal(t, int64(len(b)), s.bytesSent())
	require.Equal(t, int64(len(b)), ev.Received)
	require.Equal(t, 10, ev.Retries)
	for _, wait := range s.clk.slept() {
		require.Equal(t, 750*time.Millisecond, wait, "progress starts the back-off again")
	}
}

// TestAPackageWithoutAnMD5GoesOnAfterACut: its first request asks for everything, because
// its link may be good for one request only. The requests after a cut use the ranges.
func TestAPackageWithoutAnMD5GoesOnAfterACut(t *testing.T) {
	b := bundleOf(1<<20, 1)
	s := serve(t, first(func(k talk) { k.file(b, tag, 700_000) }, func(k talk) { k.file(b, tag, -1) }))
	task := newTask(t, at(s.url()))
	out, err := do(t, partialStep(published(2000)), task)
	require.NoError(t, err)
	require.Equal(t, int64(len(b)), requireBundle(t, task, b, out).Received, "bytes were fetched again")
	require.Equal(t, []string{"", "bytes=700000-"}, s.ranges())
}

// TestCheckpointRate: a checkpoint needs both 2 s and 4 MiB.
func TestCheckpointRate(t *testing.T) {
	const mib = 1 << 20
	b := bundleOf(16*mib, 1)
	for name, c := range map[string]struct {
		perMiB time.Duration
		most   int
		least  int
	}{
		"fast network: none": {0, 0, 0},
		"2 s each MiB":       {2 * time.Second, 4, 2},
		"slow: every 4 MiB":  {9 * time.Second, 4, 2},
		"8 MiB in 2 s":       {250 * time.Millisecond, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(k talk) {
				k.printf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(b))
				for at := 0; at < len(b); at += mib {
					k.body(b[at : at+mib])
					k.received(at + mib)
					k.s.clk.Advance(c.perMiB)
				}
			})
			notes := stepstest.NewNotes()
			task := newTask(t, from(s.url(), b))
			task.Notes = notes
			s.meter.Store(task.Meter)
			out, err := do(t, stepFor(s.clk), task)
			require.NoError(t, err)
			requireBundle(t, task, b, out)
			require.LessOrEqual(t, notes.Saves(), c.most)
			require.GreaterOrEqual(t, notes.Saves(), c.least)
		})
	}
}

// TestStopKeepsWhatItHas: a step that is told to stop returns an error that says so, and
// saves a checkpoint even before one is due.
func TestStopKeepsWhatItHas(t *testing.T) {
	b := bundleOf(1<<20, 1)
	stop := errors.New("the system is stopping")
	ctx, cancel := context.WithCancelCause(context.Background())
	s := serve(t, first(func(k talk) {
		k.file(b, tag, 500_000)
		k.received(500_000)
		cancel(stop)
		<-k.gone()
	}, func(k talk) { k.file(b, tag, -1) }))
	task := newTask(t, from(s.url(), b))
	s.meter.Store(task.Meter)
	step := stepFor(s.clk)
	_, err := step.Do(ctx, task)
	require.ErrorIs(t, err, stop)
	require.Equal(t, steps.Interrupted, steps.AsError(err).Class)
	reach, err := step.Probe(context.Background(), task)
	require.NoError(t, err)
	require.Equal(t, steps.Partly, reach)

	again := stepstest.Again(task)
	out, err := do(t, step, again)
	require.NoError(t, err)
	ev := requireBundle(t, again, b, out)
	require.Equal(t, int64(500_000), ev.ResumedBytes)
	require.Equal(t, int64(len(b)), s.bytesSent())
}

// TestStopDuringAnOutage: a long back-off does not keep the engine waiting.
func TestStopDuringAnOutage(t *testing.T) {
	stop := errors.New("cancelled by the user")
	ctx, cancel := context.WithCancelCause(context.Background())
	s := serve(t, func(talk) {})
	b := bundleOf(10, 1)
	task := newTask(t, from(s.url(), b))
	clk := s.clk.Fake // on which back-offs do not pass by themselves
	go func() {
		for task.Meter.Pause() == nil {
			clk.Await(1)
		}
		cancel(stop)
	}()
	_, err := New(Config{Clock: clk, Log: quiet()}).Do(ctx, task)
	require.ErrorIs(t, err, stop)
	require.Contains(t, task.Meter.Pause().String(), "trying again in 1s (1): ")
}

// TestCheckpointsThatDoNotFit: the download succeeds whatever files are on disk.
func TestCheckpointsThatDoNotFit(t *testing.T) {
	b := bundleOf(300_000, 1)
	half := md5.New()
	half.Write(b[:150_000])
	state, err := half.(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary()
	require.NoError(t, err)
	good := func() checkpoint {
		return checkpoint{Offset: 150_000, Total: 300_000, states: states{Hash: state}, Mark: mark{ETag: tag, Strong: tag}}
	}
	cases := map[string]struct {
		edit   func(c *checkpoint)
		part   []byte
		ranged bool
		events []string
	}{
		"fits":               {part: b[:150_000], ranged: true},
		"fits, longer file":  {part: b[:200_000], ranged: true},
		"no file":            {events: []string{lostCheckpoint}},
		"file too short":     {part: b[:149_999], events: []string{lostCheckpoint}},
		"state unreadable":   {part: b[:150_000], edit: func(c *checkpoint) { c.Hash = []byte("?") }, events: []string{lostCheckpoint}},
		"negative offset":    {part: b[:150_000], edit: func(c *checkpoint) { c.Offset = -1 }},
		"all of it is there": {part: b, edit: func(c *checkpoint) { c.Offset = 300_000; c.Hash = stateOf(b) }},
		"more than declared": {
			part: append(b[:len(b):len(b)], "xx"...), edit: func(c *checkpoint) { c.Offset = 300_002; c.Hash = stateOf(append(b[:len(b):len(b)], "xx"...)) },
			events: []string{lostCheckpoint},
		},
		"another file since": {
			part: b[:150_000], edit: func(c *checkpoint) { c.Mark = mark{ETag: `"v0"`, Strong: `"v0"`} },
			ranged: true, events: []string{fileChanged},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(k talk) { k.file(b, tag, -1) })
			task := newTask(t, from(s.url(), b))
			note := good()
			if c.edit != nil {
				c.edit(&note)
			}
			require.NoError(t, task.Notes.Save(note))
			if c.part != nil {
				require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, PartFile), c.part, 0o600))
			}
			out, err := do(t, stepFor(s.clk), task)
			require.NoError(t, err)
			ev := requireBundle(t, task, b, out)
			require.Equal(t, c.events, kinds(ev))
			if c.ranged {
				require.Equal(t, []string{"bytes=150000-"}, slices.Compact(s.ranges()))
			} else {
				require.LessOrEqual(t, s.requests(), 1)
				require.NotContains(t, s.ranges(), "bytes=150000-")
			}
		})
	}
}

func stateOf(b []byte) []byte {
	h := md5.New()
	h.Write(b)
	state, err := h.(interface{ MarshalBinary() ([]byte, error) }).MarshalBinary()
	if err != nil {
		panic(err)
	}
	return state
}

// TestFoundWhole: a bundle that got its name before a cut, and is not in the journal, is
// not fetched again, unless it is damaged.
func TestFoundWhole(t *testing.T) {
	b := bundleOf(300_000, 1)
	damaged := append([]byte(nil), b...)
	damaged[200_000] ^= 1
	for name, c := range map[string]struct {
		content  []byte
		note     bool
		requests int
		event    string
	}{
		"no checkpoint":             {b, false, 0, foundWhole},
		"hash from the checkpoint":  {b, true, 0, foundWhole},
		"damaged":                   {damaged, false, 1, lostBundle},
		"damaged with a checkpoint": {damaged, true, 1, lostBundle},
		"cut short":                 {b[:1000], true, 1, lostBundle},
		"empty":                     {nil, false, 1, lostBundle},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(k talk) { k.file(b, tag, -1) })
			task := newTask(t, from(s.url(), b))
			require.NoError(t, os.WriteFile(filepath.Join(task.WorkDir, bundle.FileName), c.content, 0o600))
			if c.note {
				require.NoError(t, task.Notes.Save(checkpoint{
					Offset: 150_000, Total: 300_000,
					states: states{Hash: stateOf(b[:150_000])}, Mark: mark{Strong: tag},
				}))
			}
			out, err := do(t, stepFor(s.clk), task)
			require.NoError(t, err)
			ev := requireBundle(t, task, b, out)
			require.Equal(t, []string{c.event}, kinds(ev))
			require.Equal(t, c.requests, s.requests())
		})
	}
}
