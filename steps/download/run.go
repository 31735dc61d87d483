package download

import (
	"context"
	"fmt"
	"time"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// run is one run of the step, in one goroutine.
type run struct {
	cfg  Config
	task *steps.Task
	says words
	src  origin
	sink *sink
	buf  []byte

	note    checkpoint    // the known facts about the file, and the history
	noted   int64         // offset of the note as saved
	notedAt time.Duration // when it was saved, or the run began
	high    int64         // the furthest this run has been: progress that counts
	tries   int           // waits in a row without progress
	faults  int           // faults in a row without progress
	cutAt   int64         // where the last unmarked end was
	again   bool          // a wrong digest has been forgiven once

	contentType string
	fetched     steps.Fetched
	wire        steps.Wire
	release     steps.Release

	// position and startOver are set while parts are fetched.
	position  func() int64
	startOver func() error
}

func newRun(cfg Config, t *steps.Task) *run {
	return &run{cfg: cfg, task: t, says: wordsFor(t.Source.URL), notedAt: cfg.Clock.Monotonic(), cutAt: unknown}
}

func (r *run) close() {
	if r.sink != nil {
		r.sink.close()
	}
}

// do brings the bundle, in as many attempts as are needed.
func (r *run) do(ctx context.Context) error {
	if r.task.Source.Size > r.cfg.MaxSize {
		return refused(steps.SizeMismatch, "", "the bundle is declared to have %d bytes, more than the %d this device takes",
			r.task.Source.Size, r.cfg.MaxSize)
	}
	var err error
	if r.note, err = load(r.task.Notes, r.task.Source.URL); err != nil {
		return err
	}
	r.noted = r.note.Offset
	r.buf = make([]byte, bufferSize)
	if done, err := r.partially(ctx); done || err != nil {
		return err
	}
	if done, err := r.adopt(ctx); done || err != nil {
		return err
	}
	if r.src, err = newOrigin(r.cfg, r.task.Source.URL); err != nil {
		return err
	}
	if err := r.resume(); err != nil {
		return err
	}
	for {
		err := r.whole(ctx)
		if err == nil {
			err = r.finish()
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := r.endure(ctx, err); err != nil {
			return err
		}
	}
}

// resume brings the part file to where the checkpoint says it is.
func (r *run) resume() error {
	var err error
	if r.sink, err = openSink(r.task.WorkDir); err != nil {
		return err
	}
	if r.note.Offset == 0 {
		_, err := r.sink.cutTo(0, nil)
		return err
	}
	ok, err := r.sink.cutTo(r.note.Offset, r.note.Hash)
	if err != nil {
		return err
	}
	if total := r.total(); !ok || total >= 0 && r.note.Offset > total {
		r.event(lostCheckpoint, fmt.Sprintf("at byte %d", r.note.Offset))
		return r.restart()
	}
	r.high = r.sink.offset
	r.meter()
	return nil
}

// restart goes back to the first byte. It empties the note first: a note must never
// cover bytes that are being replaced, or after a kill the next run would trust them.
func (r *run) restart() error {
	r.note.Total, r.note.Mark = unknown, mark{}
	if r.noted != 0 {
		if err := r.save(0, nil); err != nil {
			return err
		}
	}
	// If the power goes from here on, the note is empty, so the next run cuts the part
	// file to nothing.
	if _, err := r.sink.cutTo(0, nil); err != nil {
		return err
	}
	r.meter()
	return nil
}

// whole makes one attempt to fetch everything that is missing. When it returns nil, the
// part file has the bundle's declared length.
func (r *run) whole(ctx context.Context) error {
	for {
		if total := r.total(); total >= 0 && r.sink.offset == total {
			return nil
		}
		if r.sink.offset > 0 && r.note.Mark.Strong == "" && r.task.Source.MD5 == "" {
			r.event(cannotResume, fmt.Sprintf("at byte %d", r.sink.offset))
			if err := r.restart(); err != nil {
				return err
			}
		}
		st, err := r.src.open(ctx, want{
			offset: r.sink.offset, declared: r.declared(), total: r.note.Total, max: r.cfg.MaxSize,
			file: r.says.file, mark: r.note.Mark, now: r.cfg.Clock.Now(), cap: r.cfg.Limits.RetryAfterMax,
		})
		if err != nil {
			return err
		}
		ended, err := r.take(ctx, st)
		_ = st.body.Close() // only read
		if ended || err != nil {
			return err
		}
	}
}

// declared is the size the source declared, or unknown.
func (r *run) declared() int64 {
	if r.task.Source.Size > 0 {
		return r.task.Source.Size
	}
	return unknown
}

// total is the bundle's size as declared or told by the server, or unknown.
func (r *run) total() int64 {
	if d := r.declared(); d != unknown {
		return d
	}
	return r.note.Total
}

func (r *run) meter() { r.task.Meter.Set(r.sink.offset, max(0, r.total())) }

func (r *run) event(what, detail string) { r.note.add(what, detail, r.cfg.Clock.Now()) }

func (r *run) evidence() Evidence {
	var wire *steps.Wire
	if r.fetched.Digest != "" {
		wire = &r.wire
	}
	return Evidence{
		Downloaded: steps.Downloaded{Fetched: r.fetched, Wire: wire}, URL: source.Redacted(r.task.Source.URL),
		ETag: r.note.Mark.ETag, LastModified: r.note.Mark.Modified, ContentType: r.contentType,
		History: r.note.History,
	}
}

// verdict turns err into the error for the engine.
func (r *run) verdict(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return steps.FromOS(err, "cannot "+r.says.doing)
	}
	if r.sink != nil && r.sink.offset-r.noted >= worthwhile {
		if err := r.checkpoint(); err != nil {
			r.cfg.Log.Warn("cannot keep the download's last bytes", "update", r.task.Update, "error", err)
		}
	}
	return steps.Stopped(ctx, "stopped: "+r.says.doing)
}
