package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Options are the inputs of Build.
type Options struct {
	Tree *Tree
	// Release says everything but Files and Payload, which Build fills in.
	Release native.Release
	// Bases are earlier releases to make patches against.
	Bases []*Base
	// MaxPatch is the largest content, old or new, that patches are made for, in
	// bytes; 0 means DefaultMaxPatch, which is also the default limit of devices.
	MaxPatch   int64
	Compressor Compressor
	Limits     bundle.Limits
	// Scratch is a directory for temporary files.
	Scratch string
	// Progress is called with the name of the work under way and how far that work
	// is; may be nil.
	Progress func(what string, done, total int64)
}

// DefaultMaxPatch is the largest content a device patches: a patch needs the
// old and the new content in memory.
const DefaultMaxPatch = 24 << 20

// Build makes the payload's members below Scratch and returns the bundle, ready
// to be signed and written.
func Build(ctx context.Context, o Options) (*Bundle, error) {
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if o.MaxPatch == 0 {
		o.MaxPatch = DefaultMaxPatch
	}
	b := &Bundle{Release: o.Release}
	b.Release.Files = o.Tree.Files
	b.Release.Schema = b.Release.LeastSchema()
	b.Release.Payload = native.Payload{}
	// Checked here, before minutes of compressing.
	if err := b.Release.CheckDescription(o.Limits); err != nil {
		return nil, err
	}
	contents := b.Release.Contents()
	if len(contents) > 0 {
		if err := o.solid(ctx, b); err != nil {
			return nil, err
		}
		if err := o.alone(ctx, b, contents); err != nil {
			return nil, err
		}
		if err := o.patches(ctx, b, contents); err != nil {
			return nil, err
		}
	}
	return b, b.encode(ctx, o.Compressor, o.Limits)
}

func (o *Options) path(f native.File) string {
	return filepath.Join(o.Tree.Dir, filepath.FromSlash(f.Path))
}

// solid compresses all files in the order of the list.
func (o *Options) solid(ctx context.Context, b *Bundle) error {
	total := b.Release.Totals().Bytes
	r, w := io.Pipe()
	go func() {
		done := int64(0)
		for _, f := range b.Release.Files {
			if f.Size == 0 {
				continue
			}
			if err := copyFile(w, o.path(f), f.Size); err != nil {
				w.CloseWithError(err)
				return
			}
			done += f.Size
			o.Progress("compressing", done, total)
		}
		w.Close()
	}()
	name := filepath.Join(o.Scratch, "solid.zst")
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	err = o.Compressor.stream(ctx, r, out, total)
	_ = r.CloseWithError(errors.New("the compressor ended"))
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("compress the solid member: %w", err)
	}
	m, err := memberOf(name)
	b.Release.Payload.Solid, b.solid = &m, name
	return err
}

func copyFile(w io.Writer, path string, size int64) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	n, err := io.Copy(w, in)
	if err == nil && n != size {
		err = fmt.Errorf("%s changed while it was packed: it had %d bytes and has %d", path, size, n)
	}
	return err
}

// alone compresses each content to a file of its own, named by the content's digest.
func (o *Options) alone(ctx context.Context, b *Bundle, contents []native.Content) error {
	in, out := filepath.Join(o.Scratch, "contents"), filepath.Join(o.Scratch, "alone")
	for _, dir := range []string{in, out} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	n := runtime.NumCPU()
	batches := make([][]string, (len(contents)+31)/32)
	for i, c := range contents {
		abs, err := filepath.Abs(o.path(b.Release.Files[c.File]))
		if err != nil {
			return err
		}
		link := filepath.Join(in, c.SHA256)
		if err := secondName(abs, link); err != nil {
			return err
		}
		batches[i/32] = append(batches[i/32], link)
	}
	done := counter{total: int64(len(contents)), tell: func(d, t int64) { o.Progress("compressing each file", d, t) }}
	err := parallel(ctx, n, len(batches), func(i int) error {
		defer done.add(int64(len(batches[i])))
		return o.Compressor.files(ctx, out, batches[i])
	})
	if err != nil {
		return fmt.Errorf("compress the files: %w", err)
	}
	b.alone = make([]string, len(contents))
	for i, c := range contents {
		b.alone[i] = filepath.Join(out, c.SHA256+".zst")
		m, err := shortMemberOf(b.alone[i])
		if err != nil {
			return err
		}
		b.Release.Payload.Alone = append(b.Release.Payload.Alone, m)
	}
	return nil
}

// secondName gives a file a second name: a hard link, or a copy where a hard link is
// not possible. A symlink does not serve, because zstd follows one only when forced to.
func secondName(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, in.Close(), out.Close())
}

// parallel runs n jobs on a number of workers, and returns the first error.
func parallel(ctx context.Context, workers, n int, do func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// counter counts from several goroutines.
type counter struct {
	mu          sync.Mutex
	done, total int64
	tell        func(done, total int64)
}

func (c *counter) add(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	c.tell(c.done, c.total)
}
