package journal_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
)

// FuzzDecode: any stored value can be read, or fails with an error. A value
// that was read can be folded and written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{}, uint64(1))
	f.Add(journal.Chained(f, "", 1, []byte(`{"update":"a","phase":"outcome","to":"Ready","accept":{}}`)), uint64(1))
	f.Add(journal.Chained(f, "", 2, []byte(`{"phase":"later","time":"2026-01-02T03:04:05Z","evidence":{"a":[1,2]}}`)), uint64(2))
	f.Fuzz(func(t *testing.T, value []byte, seq uint64) {
		r, err := journal.Decode(seq, value)
		if err != nil {
			require.ErrorIs(t, err, journal.ErrDamaged)
			require.False(t, journal.Follows("", seq, value))
			return
		}
		require.Equal(t, seq, r.Seq)
		s := journal.Apply(&journal.Fold{}, r)
		require.Equal(t, r.Sum, s.Sum)
		again, stored, err := journal.Encode("", r)
		if errors.Is(err, journal.ErrInvalid) {
			return
		}
		require.NoError(t, err)
		require.True(t, journal.Follows("", seq, again))
		requireSame(t, r, stored)
		_, err = json.Marshal(s)
		require.NoError(t, err)
	})
}

// FuzzOpen changes bytes of a journal. Four bytes of the input make one change:
// a new value, and the offset where it is put. No change may end the process or
// leave a device without a journal.
func FuzzOpen(f *testing.F) {
	path, _ := newJournal(f, 2)
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	_, pages := journal.Newest(f, path)
	whole = whole[:pages*journal.PageSize]
	for _, edits := range [][][3]uint32{
		{{0, 24, 255}},
		{{0, 40, 255}},
		{{1, 56, 255}},
		{{2, 10, 255}},
		{{5, 8, 255}},
		{{7, 0, 255}},
		// Each of these once got past Open and stopped bbolt later.
		{{0, 2, 189}, {6, 85, 30}},
		{{13, 71, 98}, {13, 101, 17}},
		{{16, 16, 21}},
	} {
		var in []byte
		for _, e := range edits {
			in = binary.LittleEndian.AppendUint32(in, (e[0]*journal.PageSize+e[1])<<8|e[2])
		}
		f.Add(in)
	}
	dir := fastDir(f)
	f.Fuzz(func(t *testing.T, edits []byte) {
		data := append([]byte(nil), whole...)
		for ; len(edits) >= 4; edits = edits[4:] {
			e := binary.LittleEndian.Uint32(edits)
			data[int(e>>8)%len(data)] = byte(e)
		}
		path := filepath.Join(dir, "journal.db")
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(path, data, 0o600))
		if r, err := journal.OpenReader(path, journal.Options{}); err == nil {
			_, _ = r.Verify()
			_, _ = r.Records("")
			_, _ = r.Updates()
		}
		opt := options()
		opt.Preallocate = 256 << 10
		if j, err := journal.Open(path, opt); err == nil {
			work(j)
			_, _ = j.Verify()
			_ = j.Close()
		} else {
			require.ErrorIs(t, err, journal.ErrPoisoned)
		}
		opt.Verify = true
		j, err := journal.Open(path, opt)
		require.NoError(t, err)
		require.NoError(t, work(j))
		requireWhole(t, j)
		require.NoError(t, j.Close())
	})
}

// work writes a little of each kind.
func work(j *journal.Journal) error {
	if _, err := j.Append(acceptRecord("new")); err != nil {
		return err
	}
	if err := j.Note("new", "Download", []byte("note")); err != nil {
		return err
	}
	_, err := j.Append(append(transition("new", 1), journal.Record{Update: "new", Phase: journal.Outcome, Closed: true})...)
	return err
}
