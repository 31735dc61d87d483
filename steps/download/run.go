package download

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
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
	cutAt   int64         // where the last unmarked end was
	again   bool          // a wrong digest has been forgiven once
	over    bool          // the source sends more than was declared
	room    int64         // how much may be written before it is asked for again
	patience

	// single says that the source is asked for everything in one request: it has no
	// ranges, or the link may be good for one request only.
	single bool
	// oneUse says the same of a link that may be good for one request only, whatever any
	// answer shows.
	oneUse bool
	// probed says that a request was spent on finding out the format.
	probed bool
	// opened is a request for the whole file that was made to find out its format.
	opened *stream

	fetched steps.Fetched
	wire    steps.Wire
	release steps.Release
}

func newRun(cfg Config, t *steps.Task) *run {
	return &run{cfg: cfg, task: t, says: wordsFor(t.Source.URL), notedAt: cfg.Clock.Monotonic(), cutAt: unknown}
}

func (r *run) close() {
	if r.opened != nil {
		_ = r.opened.body.Close() // only read
	}
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
	if r.note, err = load(r.task.Notes); err != nil {
		return err
	}
	r.noted = r.note.Offset
	r.buf = make([]byte, bufferSize)
	if r.src, err = newOrigin(r.cfg, r.task.Source, r.task.Handed); err != nil {
		return err
	}
	if r.fresh() {
		r.fromShelf(r.samePackage)
	}
	if done, err := r.partially(ctx); done || err != nil {
		return err
	}
	if done, err := r.adopt(ctx); done || err != nil {
		return err
	}
	if err := r.resume(); err != nil {
		return err
	}
	// That a package was asked for at once does not say that its source has no ranges.
	r.single, r.oneUse = r.note.Single, r.note.Single
	return r.fetch(ctx, whole{r})
}

// fresh reports whether nothing is there of the bundle yet.
func (r *run) fresh() bool {
	for _, name := range []string{PartFile, bundle.FileName} {
		if _, err := os.Lstat(filepath.Join(r.task.WorkDir, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// resume brings the part file to where the checkpoint says it is.
func (r *run) resume() error {
	var err error
	if r.sink, err = openSink(r.task.WorkDir, r.task.Source.SHA256 != ""); err != nil {
		return err
	}
	if r.note.Offset == 0 {
		_, err := r.sink.cutTo(0, states{})
		return err
	}
	ok, err := r.sink.cutTo(r.note.Offset, r.note.states)
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
	r.note.Total, r.note.Mark, r.note.Type, r.note.Partial = unknown, mark{}, "", nil
	if r.noted != 0 {
		if err := r.save(0, states{}); err != nil {
			return err
		}
	}
	// If the power goes from here on, the note is empty, so the next run cuts the part
	// file to nothing.
	if _, err := r.sink.cutTo(0, states{}); err != nil {
		return err
	}
	r.meter()
	return nil
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
		Downloaded: steps.Downloaded{Fetched: r.fetched, Wire: wire}, URL: r.task.Source.URL.Redacted(),
		ETag: r.note.Mark.ETag, LastModified: r.note.Mark.Modified, ContentType: r.note.Type,
		History: r.note.History,
	}
}

// digested reports whether a declared digest of the whole file tells in the end whether it
// is the one.
func (r *run) digested() bool { return r.task.Source.MD5 != "" || r.task.Source.SHA256 != "" }

// keep saves the last bytes of a download that stops, as far as that is possible.
func (r *run) keep() {
	if r.sink == nil || r.sink.offset-r.noted < worthwhile {
		return
	}
	if err := r.checkpoint(); err != nil {
		r.cfg.Log.Warn("cannot keep the download's last bytes", "update", r.task.Update, "error", err)
	}
}

// verdict turns err into the error for the engine.
func (r *run) verdict(ctx context.Context, err error) error {
	r.keep()
	if ctx.Err() == nil {
		return steps.FromOS(err, "cannot "+r.says.doing)
	}
	return steps.Stopped(ctx, "stopped: "+r.says.doing)
}
