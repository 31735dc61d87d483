package figures_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/clock"
)

func (d *device) journalPath() string {
	return filepath.Join(d.Root, "var/lib/tope-updater/journal.db")
}

// txid is the number of the journal's newest transaction, read from a copy.
func (d *device) txid(b *testing.B) int {
	b.Helper()
	data, err := os.ReadFile(d.journalPath())
	require.NoError(b, err)
	path := filepath.Join(d.l.dir, "journal-copy.db")
	require.NoError(b, os.WriteFile(path, data, 0o600))
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	require.NoError(b, err)
	id := 0
	require.NoError(b, db.View(func(tx *bolt.Tx) error {
		id = tx.ID()
		return nil
	}))
	require.NoError(b, db.Close())
	return id
}

// transactions: how often an undisturbed update commits to the journal.
func transactions(b *testing.B, l *lab) []row {
	d := l.boot(b, fixtures.Options{}, fixtures.Release{})
	before := d.txid(b)
	d.install(b, l.offer(b, fixtures.Release{Version: small}))
	n := d.txid(b) - before
	d.scrap(b)
	return []row{{what: "journal transactions in an undisturbed update", metric: "transactions", ours: quantity{float64(n), count}, reach: 24}}
}

// story is a real update's records, by transaction. The records of one
// transaction bear the same time.
type story [][]journal.Record

// tell makes a real update and takes its records.
func tell(b *testing.B, l *lab) story {
	b.Helper()
	d := l.boot(b, fixtures.Options{}, fixtures.Release{})
	recs := d.install(b, l.offer(b, fixtures.Release{Version: small}))
	d.scrap(b)
	var s story
	for i, r := range recs {
		if i == 0 || r.Mono != recs[i-1].Mono {
			s = append(s, nil)
		}
		s[len(s)-1] = append(s[len(s)-1], r)
	}
	return s
}

// of is the story under another update's id.
func (s story) of(b *testing.B, id string) story {
	b.Helper()
	data, err := json.Marshal(s)
	require.NoError(b, err)
	var renamed story
	require.NoError(b, json.Unmarshal([]byte(strings.ReplaceAll(string(data), s[0][0].Update, id)), &renamed))
	return renamed
}

// fill writes the story into the journal n times.
func (s story) fill(b *testing.B, j *journal.Journal, n int) {
	b.Helper()
	for i := range n {
		for _, recs := range s.of(b, fmt.Sprintf("20260102-030405-%04d", i)) {
			_, err := j.Append(recs...)
			require.NoError(b, err)
		}
	}
}

// transition: what each transition of an update costs, with 100 updates in the
// journal, against the least a durable transaction can cost.
func transition(b *testing.B, l *lab) []row {
	s := tell(b, l)
	dir, err := os.MkdirTemp(l.dir, "journal-")
	require.NoError(b, err)
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Clock: clock.System(), Create: true})
	require.NoError(b, err)
	defer j.Close()
	s.fill(b, j, 100)
	floor := newFloor(b, dir)
	var ours, floors []time.Duration
	for i := range 30 {
		for _, recs := range s.of(b, fmt.Sprintf("20260102-040506-%04d", i)) {
			at := time.Now()
			floor()
			mid := time.Now()
			_, err := j.Append(recs...)
			ours, floors = append(ours, time.Since(mid)), append(floors, mid.Sub(at))
			require.NoError(b, err)
		}
	}
	return []row{against("transition", "one transition, against two fdatasyncs of 4 KiB in place", median(ours), median(floors), 1.5)}
}

// newFloor returns a function that does two fdatasyncs, each after overwriting 4
// KiB of a file whose blocks were written before.
func newFloor(b *testing.B, dir string) func() {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "floor"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = f.Close() })
	_, err = f.Write(make([]byte, journal.DefaultPreallocate))
	require.NoError(b, err)
	require.NoError(b, f.Sync())
	page := make([]byte, 4096)
	n := int64(0)
	return func() {
		for range 2 {
			n++
			page[0]++
			if _, err := f.WriteAt(page, n*4096%journal.DefaultPreallocate); err != nil {
				b.Fatal(err)
			}
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				b.Fatal(err)
			}
		}
	}
}
