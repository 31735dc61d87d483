package journal

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Open opens the journal at path for writing.
//
// Open checks the file before bbolt maps it: the header, the newest record and
// the summary; with Options.Verify all of it. Open repairs some damage in place
// (a bad header page, a summary that does not match a whole chain) and journals
// the repair. For other damage it returns an ErrDamaged and leaves the file
// untouched, unless Options.Create is set: then it keeps the damaged file
// beside a new journal, which takes its place and has what could be saved from
// it; see Fresh.
//
// Further errors: ErrMissing, ErrLocked, and those of the file system.
func Open(path string, opt Options) (*Journal, error) {
	opt = opt.withDefaults()
	if opt.Clock == nil {
		return nil, fmt.Errorf("%w: a journal needs a clock", ErrInvalid)
	}
	var damage *Damage
	// A journal made by one turn of the loop is opened by the next. Another
	// process may take it away between the two, but not again and again.
	for range 8 {
		f, err := openLocked(path, opt)
		if errors.Is(err, ErrMissing) && opt.Create {
			if err := create(path, opt); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		c, repaired, err := inspect(f, opt.Verify)
		if err == nil {
			return open(path, f, c, repaired, opt, damage)
		}
		if !errors.Is(err, ErrDamaged) || !opt.Create {
			return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
		}
		damage, err = replace(path, f, err, opt)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("cannot replace the damaged journal %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("cannot open the journal %s: it keeps vanishing", path)
}

// inspect reads a file under lock. An ErrDamaged means that it cannot be used as it
// is; repaired is the damage that open will repair.
func inspect(f *os.File, all bool) (c *contents, repaired *Damage, err error) {
	// A killed predecessor may have left writes in the cache that the disk has
	// not seen. They must be on the disk before anything is decided on them.
	if err := f.Sync(); err != nil {
		return nil, nil, fmt.Errorf("cannot sync: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = asFile(info)
	}
	if err != nil {
		return nil, nil, err
	}
	im, h, err := openImage(f, info.Size())
	if err != nil {
		return nil, nil, err
	}
	if c, err = readContents(im); err != nil {
		return nil, nil, err
	}
	if all {
		if err := c.verifyAll(); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case h.bad != "":
		repaired = &Damage{Kind: DamagedMeta, Text: "half of the header was bad (" + h.bad +
			"): the newest transaction is lost if it had been finished; a power cut in the middle of a write looks the same and loses nothing"}
	case c.refolded != nil:
		repaired = &Damage{Kind: DamagedSummary, Text: c.refolded.text + "; it was made anew from the records, nothing is lost"}
	}
	return c, repaired, nil
}

// verifyAll verifies the whole file. When only the summary is wrong, it folds
// the state again from all records.
func (c *contents) verifyAll() error {
	for _, p := range verify(c.im).Problems {
		found := &flaw{p.Kind, p.Text}
		if p.Kind != DamagedSummary {
			return found
		}
		if c.refolded == nil {
			c.refolded, c.summary, c.state = found, 0, c.anchor.State
			if err := c.follow(c.state, func(_ Record, s *Fold) error { c.state = s; return nil }, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// open hands a file that has been inspected to bbolt.
func open(path string, f *os.File, c *contents, repaired *Damage, opt Options, damage *Damage) (*Journal, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	size := max(info.Size(), opt.Preallocate)
	if err := setAside(f, info, size); err != nil {
		opt.Log.Warn("the journal has no room set aside: a full disk may stop it", "path", path, "error", err)
	}
	j := &Journal{path: path, opt: opt, file: f, damage: damage, summary: c.summary}
	err, panicked := guard(func() (err error) { j.db, err = openBolt(f, size); return err })
	if err != nil {
		j.panicked = panicked
		return nil, errors.Join(fmt.Errorf("cannot open the journal %s: %w", path, err), closeQuietly(f))
	}
	j.state.Store(c.state)
	j.fresh = c.state.Seq == c.anchor.Born
	if j.fresh && j.damage == nil {
		j.damage = c.state.Damage
	}
	if repaired != nil {
		repaired.Time = opt.Clock.Now().UTC().Round(0)
		j.damage = repaired
		opt.Log.Warn("the journal was damaged and is repaired", "path", path, "damage", repaired.Text)
		fresh := j.fresh
		if _, err := j.Append(Record{Phase: Observed, Damage: repaired}); err != nil {
			return nil, errors.Join(err, j.Close())
		}
		j.fresh = fresh
	}
	return j, nil
}

// maxGrowth is how many times its size the file may grow to for one update.
const maxGrowth = 8

// openBolt gives f to bbolt, with every sync on. The map is as large as the
// file will be. So readers never wait for a writer that must map anew, and
// bbolt does not grow the file for pages below that size: what is preallocated
// stays. MaxSize stops a file that would grow without measure: its damage has
// escaped every check.
func openBolt(f *os.File, size int64) (*bolt.DB, error) {
	return bolt.Open(f.Name(), 0o600, &bolt.Options{
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		InitialMmapSize: int(size),
		PageSize:        pageSize,
		MaxSize:         maxGrowth * int(size),
		FreelistType:    bolt.FreelistArrayType,
		NoStatistics:    true,
	})
}

// closeQuietly closes a file that bbolt may have closed already.
func closeQuietly(f *os.File) error {
	if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
