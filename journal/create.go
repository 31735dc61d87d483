package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/platform/disk"
)

// create makes a new journal where there is none.
func create(path string, opt Options) error {
	if err := disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot create the journal: %w", err)
	}
	unlock, err := lockDir(path, opt.LockTimeout)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err // another process was faster
	}
	tmp := disk.TempName(path)
	if complete(tmp) {
		// An earlier process was cut short after it took the damaged journal away
		// and before it put the new one, which is in tmp, in its place.
		return moveInto(tmp, path)
	}
	if err := build(tmp, opt, &Fold{}, nil); err != nil {
		return fmt.Errorf("cannot create the journal %s: %w", path, err)
	}
	return moveInto(tmp, path)
}

// complete reports whether there is a whole journal under the temporary name.
func complete(tmp string) bool {
	f, err := openFile(tmp, os.O_RDWR)
	if err != nil {
		return false
	}
	_, _, err = inspect(f, true)
	return errors.Join(err, f.Close()) == nil
}

// replace puts a new journal in the place of the damaged one in f, which this
// process has locked, and keeps the old one under another name.
func replace(path string, f *os.File, why error, opt Options) (*Damage, error) {
	unlock, err := lockDir(path, opt.LockTimeout)
	if err != nil {
		return nil, err
	}
	defer unlock()
	now := opt.Clock.Now().UTC().Round(0)
	d := &Damage{Kind: kindOf(why), Time: now}
	saved, state := salvage(f)
	if d.Kind != DamagedEmpty {
		d.Kept = keptName(path, now)
	}
	d.Text = why.Error() + "; " + saved.text()
	evidence, err := marshal(saved)
	if err != nil {
		return nil, err
	}
	first := Record{Phase: Observed, Damage: d, Evidence: evidence}
	tmp := disk.TempName(path)
	if err := build(tmp, opt, state, &first); err != nil {
		return nil, err
	}
	// If the power goes now, the damaged journal is found again, and a whole one
	// under the temporary name, which the next attempt writes over.
	if d.Kept != "" {
		if err := moveInto(path, d.Kept); err != nil {
			return nil, err
		}
		// If the power goes now, no journal has the path's name, but a whole one
		// has the temporary name and says what happened: create completes the
		// move.
	}
	if err := moveInto(tmp, path); err != nil {
		return nil, err
	}
	opt.Log.Error("the journal was damaged: a new one takes its place", "path", path, "damage", d.Text, "kept", d.Kept)
	return d, forgetOldest(path)
}

// build writes a new journal under a temporary name and syncs it. The facts in
// state are its anchor; first, unless it is nil, is its first record.
func build(tmp string, opt Options, state *Fold, first *Record) error {
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err, _ = guard(func() error { return fillNew(f, opt, state, first) })
	if err = errors.Join(err, closeQuietly(f)); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	// bbolt has synced its pages, and setAside the length. This sync is for
	// writes that a later bbolt may do on closing. The name is not durable yet,
	// and need not be.
	return syncFile(tmp)
}

func fillNew(f *os.File, opt Options, state *Fold, first *Record) error {
	db, err := openBolt(f, opt.Preallocate)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = setAside(f, info, opt.Preallocate)
	}
	if err != nil {
		// Better than no journal; the next Open tries again.
		opt.Log.Warn("the journal has no room set aside: a full disk may stop it", "path", f.Name(), "error", err)
	}
	anchor := storedFold{Fold: foldVersion, State: state, Born: state.Seq}
	b := &Batch{State: state}
	if first != nil {
		at := Stamp{Time: first.Damage.Time, Mono: opt.Clock.Monotonic(), Boot: opt.Clock.Boot()}
		if b, err = Prepare(state, at, []Record{*first}); err != nil {
			return errors.Join(err, db.Close())
		}
		anchor.Born = b.State.Seq
	}
	err = db.Update(func(tx *bolt.Tx) error { return putNew(tx, &anchor, b) })
	return errors.Join(err, db.Close())
}

func putNew(tx *bolt.Tx, anchor *storedFold, b *Batch) error {
	for _, name := range bucketNames() {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	value, err := anchor.encode(bucketAnchor)
	if err != nil {
		return err
	}
	if err := putOnly(tx, bucketAnchor, value); err != nil {
		return err
	}
	summary, err := (&storedFold{Fold: foldVersion, State: b.State}).encode(bucketSummary)
	if err != nil {
		return err
	}
	return b.put(tx, summary)
}

// moveInto renames a synced file and makes both names durable. If the power
// goes now, the file has one name or the other.
func moveInto(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(to))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockDir keeps two processes from putting a journal in place at once.
func lockDir(path string, timeout time.Duration) (unlock func(), err error) {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := lock(d, timeout); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// keptMax is how many damaged journals are kept: each may be large.
const keptMax = 3

func keptPrefix(path string) string { return path + ".damaged-" }

// keptName is a name no damaged journal has yet.
func keptName(path string, now time.Time) string {
	name := keptPrefix(path) + now.Format("20060102T150405Z")
	for n, free := 2, name; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}

// forgetOldest deletes the oldest damaged journals beyond keptMax.
func forgetOldest(path string) error {
	dir, prefix := filepath.Dir(path), filepath.Base(keptPrefix(path))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var kept []string // ReadDir sorts, and the names sort by time
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			kept = append(kept, filepath.Join(dir, e.Name()))
		}
	}
	if len(kept) <= keptMax {
		return nil
	}
	for _, name := range kept[:len(kept)-keptMax] {
		if err := disk.RemoveTree(name); err != nil {
			return err
		}
	}
	return disk.SyncDir(dir)
}
