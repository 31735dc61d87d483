package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tope/updater/platform/disk"
)

// PutBack puts the journal back when somebody has deleted it, or has put another file in
// its place, while it was open here: this process has all of it. Append, Note and Close
// do so by themselves; PutBack is for a process that has nothing to write for a while. The
// journal then has a record of it (DamagedRemoved), and what had its name is kept.
//
// When another process writes the file that is there now, the journal is poisoned. It is
// not on a full disk, where this process has all that there is: try again later.
func (j *Journal) PutBack() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.putBack()
	if errors.Is(err, errNoCopy) {
		j.poison = nil // no write was tried
	}
	return err
}

// errNoCopy: the disk is full, and the journal is as it was before.
var errNoCopy = errors.New("there is no room for a copy")

// putBack is PutBack. mu is held.
func (j *Journal) putBack() error {
	if err := j.usable(); err != nil {
		return err
	}
	if err := j.inPlace(); err != nil || j.removed == nil {
		return err
	}
	_, err := j.append(nil)
	return err
}

// inPlace makes sure that the file which is about to be written is the one that the next
// start will find: records that are written into a file without a name are lost with
// the process. A record that tells of it is left in j.removed. mu is held.
//
// If the power goes meanwhile, the name is missing, or leads to what was put there, or
// to all that this process had recorded; what was put there may have its other name.
func (j *Journal) inPlace() error {
	same, err := isAt(j.file, j.path)
	if err != nil {
		return fmt.Errorf("cannot look for the journal %s: %w", j.path, err)
	}
	if same {
		return nil
	}
	d := &Damage{
		Kind: DamagedRemoved, Time: j.opt.Clock.Now().UTC().Round(0),
		Text: "the file was deleted or replaced while it was open; it was put back, nothing is lost",
	}
	if err := j.restore(d); err != nil {
		j.poison = fmt.Errorf("%w: %s was deleted or replaced, and cannot be put back: %w", ErrPoisoned, j.path, err)
		return j.poison
	}
	j.removed = d
	j.opt.Log.Error("the journal was deleted or replaced while it was open; it is put back", "path", j.path, "kept", d.Kept)
	return nil
}

func (j *Journal) restore(d *Damage) error {
	if err := disk.MkdirAll(filepath.Dir(j.path), 0o755); err != nil {
		return err
	}
	unlock, err := lockDir(j.path, j.opt.LockTimeout)
	if err != nil {
		return err
	}
	defer unlock()
	if d.Kept, err = j.makeWay(d); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	err = disk.WriteFrom(j.path, io.NewSectionReader(j.file, 0, info.Size()), 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", errNoCopy, err)
	}
	if err != nil {
		return err
	}
	return j.moveTo(info.Size())
}

// makeWay gives what has the journal's name another one, and returns that, unless
// somebody writes it as a journal.
func (j *Journal) makeWay(d *Damage) (kept string, err error) {
	if _, err := os.Lstat(j.path); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if f, err := openFile(j.path, os.O_RDWR); err == nil {
		defer f.Close()
		if errors.Is(flock(f, syscall.LOCK_SH), ErrLocked) {
			return "", fmt.Errorf("%w, which has begun another journal", ErrLocked)
		}
	}
	kept = keptName(j.path, d.Time)
	return kept, moveInto(j.path, kept)
}

// moveTo goes on with the file that is at the path now, a copy of the present one.
func (j *Journal) moveTo(size int64) error {
	f, err := openFile(j.path, os.O_RDWR)
	if err != nil {
		return err
	}
	if err := lock(f, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	c, _, err := inspect(f, false)
	if err == nil && c.state.Sum != j.State().Sum {
		err = errors.New("the copy is not what was recorded")
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	// It waits for readers that are still at work, and drops the old file.
	if err, _ := guard(j.db.Close); err != nil {
		return errors.Join(err, f.Close())
	}
	err, j.panicked = guard(func() (err error) { j.db, err = openBolt(f, size); return err })
	if err != nil {
		return errors.Join(err, closeQuietly(f))
	}
	j.file = f
	return nil
}
