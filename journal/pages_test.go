package journal

import (
	"bytes"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
)

// FuzzPages puts any bytes into the place of one page of a journal, with the checksum of a
// meta page made right, so that what it says is believed. Everything that reads a journal
// before bbolt does ends, without a panic; what it returns can be used.
func FuzzPages(f *testing.F) {
	base := filled(f)
	im, h, err := openImage(bytes.NewReader(base), int64(len(base)))
	require.NoError(f, err)
	pages := int(im.pages)
	for n := range pages {
		f.Add(uint16(n), base[n*pageSize:(n+1)*pageSize])
	}
	require.NotNil(f, h)
	f.Fuzz(func(t *testing.T, number uint16, content []byte) {
		data := bytes.Clone(base)
		n := int(number) % pages
		page := data[n*pageSize : (n+1)*pageSize]
		copy(page, content)
		if n < 2 {
			sum := fnv.New64a()
			_, _ = sum.Write(page[pageHead : pageHead+metaSize-8])
			le.PutUint64(page[pageHead+metaSize-8:], sum.Sum64())
		}
		im, _, err := openImage(bytes.NewReader(data), int64(len(data)))
		if im == nil {
			require.Error(t, err)
			return
		}
		began := time.Now()
		c, _ := opened(im)
		require.NotNil(t, c.anchor.State)
		_ = verify(im)
		_, _ = im.free()
		recs, _ := records(im, "", 0, math.MaxInt)
		state := &Fold{}
		for _, r := range recs {
			state = Apply(state, r)
		}
		s, saved := salvageImage(im, err == nil)
		require.NotNil(t, saved)
		require.Equal(t, saved.Seq, s.Seq)
		require.Less(t, time.Since(began), 10*time.Second, "pages that lead to each other are not walked without end")
	})
}

// filled is the file of a journal with records, notes and more than one page of each
// kind.
func filled(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := Open(path, Options{Create: true, Clock: clocktest.New()})
	require.NoError(t, err)
	for n := range 40 {
		id := string(rune('a'+n%26)) + string(rune('a'+n/26))
		_, err := j.Append(
			Record{Update: id, Phase: Outcome, Trigger: "accept", From: "Idle", To: "Requested", Accept: &Accept{Kind: "install", From: "1.0.0"}},
			Record{Update: id, Phase: Outcome, From: "Requested", To: "Committed", Terminal: true, SignedBy: "key", Why: "a text of some length, so that pages fill up"},
			Record{Update: id, Phase: Outcome, Closed: true},
		)
		require.NoError(t, err)
	}
	_, err = j.Append(Record{Update: "open", Phase: Outcome, Trigger: "accept", From: "Idle", To: "Requested", Accept: &Accept{Kind: "install", From: "1.0.0"}})
	require.NoError(t, err)
	require.NoError(t, j.Note("open", "Download", bytes.Repeat([]byte("note"), 2000)))
	require.NoError(t, j.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	_, h, err := openImage(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	return data[:h.pages*pageSize]
}
