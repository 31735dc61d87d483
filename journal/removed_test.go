package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// What happens to a journal that is open, behind its back.
func accidents() map[string]func(t *testing.T, path string) {
	return map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"deleted with its directory": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(filepath.Dir(path)))
		},
		"replaced by another": func(t *testing.T, path string) {
			other, _ := newJournal(t, 1)
			require.NoError(t, os.Rename(other, path))
		},
		"replaced by a link": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".elsewhere"))
			require.NoError(t, os.Symlink(path+".elsewhere", path))
		},
	}
}

func replaced(name string) bool { return name != "deleted" && name != "deleted with its directory" }

// A journal that somebody deletes while it is open is put back before anything more is
// written: no record goes where the next start does not find it.
func TestARemovedJournalIsPutBack(t *testing.T) {
	for name, accident := range accidents() {
		t.Run(name, func(t *testing.T) {
			path, before := newJournal(t, 2)
			j := open(t, path, options())
			accident(t, path)
			_, err := j.Append(transition("open", 5)...)
			require.NoError(t, err)
			require.NoError(t, j.Note("open", "Download", []byte("more")))
			requireWhole(t, j)

			r := openReader(t, path)
			require.NoError(t, r.Damaged())
			require.Equal(t, j.State().Seq, r.State().Seq, "the record is where the next start finds it")
			require.Equal(t, "open", r.State().Open.ID, "and so is the update that was open")
			require.Greater(t, r.State().Seq, before.Seq)
			damage := r.State().Damage
			require.NotNil(t, damage)
			require.Equal(t, journal.DamagedRemoved, damage.Kind)
			if replaced(name) {
				_, err := os.Lstat(damage.Kept)
				require.NoError(t, err, "what had its name is kept")
			}
			_, err = journal.Open(path, options())
			require.ErrorIs(t, err, journal.ErrLocked, "the one that was put back has a writer")

			seq := j.State().Seq
			require.NoError(t, j.Close())
			j = open(t, path, options())
			require.Equal(t, seq, j.State().Seq)
			note, err := j.ReadNote("open", "Download")
			require.NoError(t, err)
			require.Equal(t, "more", string(note))
		})
	}
}

// It is put back too when nothing is to be written: on request, and at the end.
func TestARemovedJournalOutlivesItsWriter(t *testing.T) {
	for name, end := range map[string]func(j *journal.Journal) error{
		"on request": func(j *journal.Journal) error { return j.PutBack() },
		"closed":     func(j *journal.Journal) error { return j.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			path, before := newJournal(t, 2)
			j := open(t, path, options())
			require.NoError(t, j.PutBack(), "nothing is to be done")
			require.Equal(t, before.Seq, j.State().Seq)
			require.NoError(t, os.Remove(path))
			require.NoError(t, end(j))
			r := openReader(t, path)
			require.NoError(t, r.Damaged())
			require.Equal(t, before.Seq+1, r.State().Seq, "all of it, and a record that tells")
			require.Equal(t, journal.DamagedRemoved, r.State().Damage.Kind)
		})
	}
}

// Another process has begun a journal in the place of this one and writes it: two writers
// would each tell half of the story, so this one stops.
func TestAnotherWriterHasTakenThePlace(t *testing.T) {
	path, _ := newJournal(t, 2)
	j := open(t, path, options())
	require.NoError(t, os.Remove(path))
	other := open(t, path, options())
	_, err := j.Append(acceptRecord("void"))
	require.ErrorIs(t, err, journal.ErrPoisoned)
	require.NoError(t, j.Close())
	require.Zero(t, other.State().Seq)
	_, err = other.Append(acceptRecord("theirs"))
	require.NoError(t, err)
}
