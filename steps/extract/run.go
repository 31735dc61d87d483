package extract

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/tope/updater/platform/background"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/filelist"
)

// run is one extraction.
type run struct {
	cfg Config
	own []string // the release's own writable directories
	// staging is the host path of root.
	staging string
	root    *os.Root
	b       bundle.Bundle
	meter   *steps.Meter

	// mu guards the list and the summary, which all workers add to.
	mu   sync.Mutex
	list *filelist.Writer
	sum  filelist.Summary

	// parent is the directory made last: most files lie beside the one before.
	parent string
	links  bool

	// lacking maps a content that the plan takes from this device, and that is
	// damaged or missing, to the error; guarded by mu.
	lacking map[string]error
}

// extract unpacks b into staging, which does not exist, syncs it, and leaves the list.
func (s *Step) extract(ctx context.Context, t *steps.Task, b bundle.Bundle, staging string) (Evidence, error) {
	cfg, own, err := s.cfg.with(t)
	if err != nil {
		return Evidence{}, err
	}
	if err := os.Mkdir(staging, 0o755); err != nil {
		return Evidence{}, err
	}
	root, err := os.OpenRoot(staging)
	if err != nil {
		return Evidence{}, err
	}
	defer root.Close()
	list, err := filelist.Create(t.WorkDir, headOf(t))
	if err != nil {
		return Evidence{}, err
	}
	r := &run{cfg: cfg, own: own, root: root, staging: staging, b: b, meter: t.Meter, list: list, parent: "."}
	r.meter.Set(0, b.Totals().Bytes)
	ev, err := r.all(ctx, staging)
	if err != nil {
		list.Abandon()
		return Evidence{}, err
	}
	if len(r.lacking) > 0 {
		list.Abandon()
		return ev, r.fetchAgain(t)
	}
	// If the power goes now: any part of the tree is on disk, and no list. After
	// the sync the tree is whole, and the list may be there.
	if err := disk.SyncFS(ctx, staging); err != nil {
		list.Abandon()
		return Evidence{}, err
	}
	return ev, list.Finish()
}

func (r *run) all(ctx context.Context, staging string) (Evidence, error) {
	if err := r.files(ctx); err != nil {
		return Evidence{}, err
	}
	if err := r.makeLinks(ctx); err != nil {
		return Evidence{}, err
	}
	if len(r.lacking) > 0 {
		return Evidence{Lacking: len(r.lacking)}, nil
	}
	linked, err := r.writable(staging)
	if err != nil {
		return Evidence{}, err
	}
	if err := r.listDirs(ctx); err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: r.sum, Writable: linked}, nil
}

// files makes directories and hands the files to the workers.
func (r *run) files(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan bundle.Entry)
	var workers sync.WaitGroup
	n := r.cfg.Workers
	if r.b.InOrder() {
		n = 1
	}
	for range n {
		workers.Go(func() {
			_ = background.Run(func() error { // an error is told as the cause
				w := newWriter(r)
				for e := range jobs {
					if err := w.write(ctx, e); err != nil {
						cancel(fmt.Errorf("%s: %w", e.Path, err))
					}
				}
				return nil
			})
		})
	}
	err := r.hand(ctx, jobs)
	close(jobs)
	workers.Wait()
	// A worker's error has caused all later errors, so it is the one to report.
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (r *run) hand(ctx context.Context, jobs chan<- bundle.Entry) error {
	done := ctx.Done()
	for e, err := range r.b.Entries() {
		if err != nil {
			return err
		}
		skip, err := r.underWritable(e)
		if err != nil {
			return err
		}
		switch {
		case skip:
		case e.Type == bundle.Dir:
			err = r.makeDir(e.Path)
		case e.Type == bundle.Link:
			r.links = true
		default:
			if err = r.makeDir(path.Dir(e.Path)); err != nil {
				break
			}
			select {
			case jobs <- e:
			case <-done:
				return context.Cause(ctx)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// underWritable reports whether e lies at or below a directory that is to become a
// link. It accepts an empty directory, which the link replaces. It refuses a file:
// behind the link no program would ever see it.
func (r *run) underWritable(e bundle.Entry) (bool, error) {
	for dir := range r.cfg.Writable {
		if e.Path != dir && !strings.HasPrefix(e.Path, dir+"/") {
			continue
		}
		if e.Type == bundle.Dir {
			return true, nil
		}
		return false, bundle.Invalid("%q lies in %s, which the configuration or the release makes a link to a shared directory; "+
			"take it out of the bundle, or the directory out of what is writable", e.Path, dir)
	}
	return false, nil
}

func (r *run) makeDir(dir string) error {
	if dir == r.parent || dir == "." {
		return nil
	}
	if err := r.root.MkdirAll(dir, 0o755); err != nil {
		return collision(err)
	}
	r.parent = dir
	return nil
}

// makeLinks walks the bundle again for its links: made last, none is ever in
// the way of a file.
func (r *run) makeLinks(ctx context.Context) error {
	if !r.links {
		return nil
	}
	for e, err := range r.b.Entries() {
		if err != nil {
			return err
		}
		if e.Type != bundle.Link {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.makeDir(path.Dir(e.Path)); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if err := r.makeLink(e.Path, e.Target); err != nil {
			return err
		}
		// A missing target is up to the publisher; a target outside the version is refused.
		if _, err := r.root.Stat(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return bundle.Invalid("link %q: its target %q cannot be reached in the version: %w", e.Path, e.Target, err)
		}
	}
	return nil
}

func (r *run) makeLink(name, target string) error {
	if err := r.root.Symlink(target, name); err != nil {
		return collision(err)
	}
	return r.add(versions.File{Path: name, Type: versions.TypeLink, Target: target})
}

// listDirs lists the directories, also those that no entry names, and makes sure
// that the tree has the listed entries and nothing else.
func (r *run) listDirs(ctx context.Context) error {
	found := 0
	err := disk.Walk(r.root, func(name string, info fs.FileInfo) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !info.IsDir() {
			found++
			return nil
		}
		if name == "." {
			return nil
		}
		return r.add(versions.File{Path: name, Type: versions.TypeDir, Mode: 0o555})
	}, nil)
	if err == nil && found != r.sum.Files+r.sum.Links {
		err = fmt.Errorf("%d files and links were written, but %d are there", r.sum.Files+r.sum.Links, found)
	}
	return err
}

func (r *run) add(f versions.File) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Count(f)
	return r.list.Add(f)
}

// lack notes that this device's copy of a content is damaged or missing.
func (r *run) lack(e bundle.Entry, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lacking == nil {
		r.lacking = map[string]error{}
	}
	r.lacking[e.SHA256] = fmt.Errorf("%s: %w", e.Path, why)
}

// fetchAgain notes which contents have to be fetched. If the power goes before the
// note is durable, Extract finds out again; afterwards, Download fetches them.
func (r *run) fetchAgain(t *steps.Task) error {
	list := slices.Sorted(maps.Keys(r.lacking))
	if err := r.cfg.Lack(t.WorkDir, list); err != nil {
		return err
	}
	return &steps.Error{
		Class: steps.Lacking, Code: steps.CopyDamaged,
		Err:  fmt.Errorf("%d files on this device, which the release was to reuse, are damaged, such as %w", len(list), r.lacking[list[0]]),
		Hint: "they are fetched instead; \"tope-updater versions --verify\" tells which version is damaged",
	}
}

// collision refuses a bundle that has two entries at one path. The bundle's format
// should have refused it already.
func collision(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return bundle.Invalid("something else is there: %w", err)
	}
	return err
}
