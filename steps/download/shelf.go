package download

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// shelf is the directory that keeps the part file of the newest download that was not
// finished, after its update has ended: what was fetched belongs to a release, not to an
// update or a URL. It has one part at most. A download that has proved to be another
// clears it, and so does one that needs its room; an answer that nobody has judged does not.
type shelf struct{ dir string }

// NoteFile is the name of the file on the shelf that says what the part is of.
const NoteFile = "note.json"

// shelved is what is known of a part on the shelf.
type shelved struct {
	checkpoint
	// MD5, Declared (the SHA-256) and Size were declared; empty and 0 when they were not.
	MD5      string `json:"md5,omitempty"`
	Declared string `json:"sha256,omitempty"`
	Size     int64  `json:"size,omitempty"`
	// Place is the URL without user, query and fragment, which change from link to link
	// and may be secret.
	Place string `json:"place,omitempty"`
}

// placeOf is the Place of a URL; empty for a local file.
func placeOf(from source.URL) string {
	at, err := from.Parse()
	if err != nil {
		return ""
	}
	return at.Place
}

func (s shelf) part() string { return filepath.Join(s.dir, PartFile) }

// look returns what is on the shelf; nil when there is nothing to go on from.
func (s shelf) look() (*shelved, error) {
	if s.dir == "" {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(s.dir, NoteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, steps.FromOS(err, "cannot look for an earlier download")
	}
	k := new(shelved)
	if err := json.Unmarshal(data, k); err != nil || k.Offset < 0 {
		return nil, nil //nolint:nilerr // it is somebody else's, or of a program that writes it in another way
	}
	return k, nil
}

// put moves the part file of an update that has ended to the shelf, with what the
// update's checkpoint says of it.
func (s shelf) put(t *steps.Task) error {
	if s.dir == "" {
		return nil
	}
	var c checkpoint
	found, err := t.Notes.Load(&c)
	if err != nil || !found || c.Offset < worthwhile && !c.Single {
		return err
	}
	part := filepath.Join(t.WorkDir, PartFile)
	_, err = os.Lstat(part)
	if err != nil && (!c.Single || !errors.Is(err, fs.ErrNotExist)) {
		return ignoreMissing(err)
	}
	alone := err != nil
	if alone {
		if on, err := s.look(); err == nil && on != nil && on.Offset == c.Offset && on.Place == placeOf(t.Source.URL) {
			return nil // an earlier try of this clean-up has put it there
		}
	}
	k := shelved{checkpoint: c, MD5: t.Source.MD5, Declared: t.Source.SHA256, Size: t.Source.Size, Place: placeOf(t.Source.URL)}
	k.History = History{}
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := s.clear(); err != nil {
		return err
	}
	if err := disk.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := disk.WriteFile(filepath.Join(s.dir, NoteFile), data, 0o600); err != nil || alone {
		return err
	}
	// If the power goes from here on, the note is there, and the part is on the shelf or
	// still with its update, whose clean-up is done again. A note without a part says
	// nothing. The part's bytes that the note covers were synced before.
	if err := os.Rename(part, s.part()); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(s.dir), disk.SyncDir(t.WorkDir))
}

// clear removes what is on the shelf.
func (s shelf) clear() error {
	if s.dir == "" {
		return nil
	}
	var errs []error
	// The part goes first: if the power goes in between, a note without a part says
	// nothing.
	for _, name := range []string{PartFile, NoteFile} {
		errs = append(errs, ignoreMissing(os.Remove(filepath.Join(s.dir, name))))
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// fromShelf moves the part on the shelf into the update's directory, when fits says that
// it is of the bundle that is asked for. A shelf that cannot be read costs no update.
func (r *run) fromShelf(fits func(k *shelved, part *os.File) bool) {
	s := shelf{r.cfg.Shelf}
	k, err := s.look()
	if err == nil && k == nil {
		return
	}
	f, ferr := os.Open(s.part())
	if err = errors.Join(err, ferr); err == nil {
		ok := fits(k, f)
		_ = f.Close() // only read
		if ok {
			err = r.takeFrom(s, k)
		}
	}
	if ignoreMissing(err) != nil {
		r.cfg.Log.Warn("cannot go on with an earlier download", "update", r.task.Update, "error", err)
	}
}

// clearShelf removes what is on the shelf, once it is known that this download does not
// need it. It reports whether there was anything.
func (r *run) clearShelf() bool {
	s := shelf{r.cfg.Shelf}
	k, _ := s.look()
	if err := s.clear(); err != nil {
		r.cfg.Log.Warn("cannot remove an earlier download", "update", r.task.Update, "error", err)
	}
	return k != nil
}

// takeFrom makes the part on the shelf this update's.
func (r *run) takeFrom(s shelf, k *shelved) error {
	history := r.note.History
	r.note = k.checkpoint
	r.note.History, r.note.Single = history, k.Single && k.Partial == nil
	if r.digested() || r.note.Partial != nil {
		// The digests tell whose bytes these are. The mark is that of another link.
		r.note.Mark = mark{}
	}
	if err := r.save(k.Offset, k.states); err != nil {
		return err
	}
	// If the power goes here, the update has a checkpoint and no part: the next run looks
	// at the shelf again.
	if err := os.Rename(s.part(), filepath.Join(r.task.WorkDir, PartFile)); err != nil {
		r.note = checkpoint{Total: unknown, History: history}
		return errors.Join(err, r.save(0, states{}))
	}
	// If the power goes here, the part is in one of the two places, whole.
	if err := errors.Join(disk.SyncDir(r.task.WorkDir), disk.SyncDir(s.dir)); err != nil {
		return err
	}
	r.clearShelf() // its note
	r.event(fromTheShelf, "")
	return nil
}

// samePackage reports whether a part is of the package that is asked for: of the same
// declared digest, or, when none was declared, of the same place with a validator that
// the server will be asked by.
func (r *run) samePackage(k *shelved, _ *os.File) bool {
	src := r.task.Source
	if k.Partial != nil || k.MD5 != src.MD5 || k.Declared != src.SHA256 || k.Size != src.Size {
		return false
	}
	return r.digested() || k.Place != "" && k.Place == placeOf(src.URL) && k.Mark.Strong != ""
}

// sameHead reports whether a part is of the bundle with the head that the source has.
func (p *partial) sameHead(k *shelved, part *os.File) bool {
	begin := make([]byte, len(p.begin))
	_, err := part.ReadAt(begin, 0)
	return err == nil && k.Partial != nil && bytes.Equal(begin, p.begin)
}
