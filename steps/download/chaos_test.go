package download

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/stepstest"
)

// TestChaos: random servers, random kills, random bytes beyond the checkpoint. In any
// order, the download ends with the right bytes.
func TestChaos(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func chaos(t *testing.T, r *rand.Rand) {
	b, other := bundleOf(400_000, 1), bundleOf(400_000, 2)
	tags := r.IntN(3) > 0 // else only the MD5 identifies the file
	plan := make([]int, 12)
	for i := range plan {
		plan[i] = r.IntN(1000)
	}
	kill := make(chan struct{}, 1)
	s := serve(t, func(k talk) {
		if k.n >= len(plan) {
			k.file(b, map[bool]string{true: tag}[tags], -1)
			return
		}
		content, etag := b, tag
		if plan[k.n]%5 == 0 {
			content, etag = other, `"v0"`
		}
		if !tags {
			etag = ""
		}
		if plan[k.n]%7 == 0 {
			k.req.Header.Del("Range")
		}
		if plan[k.n]%11 == 0 {
			k.req.Header.Del("If-Range")
		}
		k.s.clk.Advance(time.Minute)
		to := k.file(content, etag, 100*plan[k.n])
		if plan[k.n]%3 == 0 {
			k.received(to - 20*plan[k.n])
			select {
			case kill <- struct{}{}:
			default:
			}
			<-k.gone()
		}
	})
	small := func(c *Config) { c.CheckpointBytes, c.CheckpointTime = 20_000, time.Millisecond }
	notes := stepstest.NewNotes()
	task := newTask(t, from(s.url(), b))
	task.Notes = honest{notes, t, task.WorkDir}
	for {
		s.meter.Store(task.Meter)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			select {
			case <-kill:
				notes.Fail(errors.New("killed")) // nothing is saved after a kill
				cancel()
			case <-done:
			}
		}()
		out, err := stepFor(s.clk, small).Do(ctx, task)
		close(done)
		cancel()
		if err == nil {
			requireBundle(t, task, b, out)
			return
		}
		if class := steps.AsError(err).Class; class == steps.Refused {
			// Fresh and whole, but the other file: only the MD5 shows that.
			require.Equal(t, steps.MD5Mismatch, steps.AsError(err).Code)
			return
		}
		require.Error(t, context.Cause(ctx), "%v", err)
		notes.Fail(nil)
		task, notes = image(t, task, notes)
		scribble(t, r, task, notes)
	}
}

// scribble changes the bytes beyond the checkpoint as a power cut may.
func scribble(t *testing.T, r *rand.Rand, task *steps.Task, notes *stepstest.Notes) {
	var c checkpoint
	_, err := notes.Load(&c)
	require.NoError(t, err)
	part := filepath.Join(task.WorkDir, PartFile)
	info, err := os.Stat(part)
	require.NoError(t, err)
	require.GreaterOrEqual(t, info.Size(), c.Offset)
	keep := c.Offset + r.Int64N(info.Size()-c.Offset+1)
	require.NoError(t, os.Truncate(part, keep))
	require.NoError(t, os.Truncate(part, keep+r.Int64N(10_000)))
}
