//go:build linux && amd64

package trials_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tope/updater/journal"
)

// damage is one kind of harm that a journal may suffer while nothing runs.
type damage struct {
	name string
	harm func(t *testing.T, path string)
	// opens: the journal can be used as it is, also by the oneshot at boot.
	opens bool
	// kept: the damaged journal is kept beside the new one.
	kept bool
	// either: the journal can be used or not, by chance. A commit that was cut
	// may have begun to use pages of the transaction before the lost one.
	either bool
}

func damages() []damage {
	aside := func(name string, harm func(*testing.T, string)) damage {
		return damage{name: name, harm: harm, kept: true}
	}
	repaired := func(name string, harm func(*testing.T, string)) damage {
		return damage{name: name, harm: harm, opens: true}
	}
	// Damage that only a look at every record finds; the daemon finds it after its start.
	hidden := func(name string, harm func(*testing.T, string)) damage {
		return damage{name: name, harm: harm, opens: true, kept: true}
	}
	halved := func(name string, harm func(*testing.T, string)) damage {
		return damage{name: name, harm: harm, either: true}
	}
	return []damage{
		{name: "missing", harm: func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }},
		{name: "empty", harm: cutTo(0)},
		aside("100 bytes", cutTo(100)),
		aside("8 KiB", cutTo(8<<10)),
		aside("12 KiB", cutTo(12<<10)),
		aside("half of what is in use", func(t *testing.T, path string) { cutTo(int64(used(t, path)/2)*pageSize)(t, path) }),

		aside("text", writeFile([]byte("this is not a journal\n"))),
		aside("noise", writeFile(noise(64<<10))),
		aside("zeros", writeFile(make([]byte, 64<<10))),
		aside("a directory", func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o755))
		}),

		halved("header page 0", func(t *testing.T, path string) { overwrite(t, path, 0, noise(pageSize)) }),
		halved("header page 1", func(t *testing.T, path string) { overwrite(t, path, 1, make([]byte, pageSize)) }),
		aside("both header pages", func(t *testing.T, path string) { overwrite(t, path, 0, noise(2*pageSize)) }),

		aside("the root of the records zeroed", func(t *testing.T, path string) {
			overwrite(t, path, root(t, path, "records"), make([]byte, pageSize))
		}),
		hidden("the oldest records zeroed", func(t *testing.T, path string) {
			overwrite(t, path, leaves(t, path, "records")[0], make([]byte, pageSize))
		}),
		aside("the newest records zeroed", func(t *testing.T, path string) {
			all := leaves(t, path, "records")
			overwrite(t, path, all[len(all)-1], make([]byte, pageSize))
		}),
		aside("the summary zeroed", func(t *testing.T, path string) {
			overwrite(t, path, root(t, path, "summary"), make([]byte, pageSize))
		}),

		hidden("a byte in an old record", flip("records", 7)),
		aside("a byte in the newest record", flip("records", -1)),
		hidden("a record gone from the middle", meddle("records", func(b *bolt.Bucket) error { return b.Delete(nth(b, 7)) })),
		repaired("a byte in the summary", flip("summary", 0)),
		aside("a byte in the anchor", flip("anchor", 0)),
	}
}

const pageSize = 4096

func cutTo(size int64) func(*testing.T, string) {
	return func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, size)) }
}

func writeFile(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, data, 0o600)) }
}

// noise is the same every time.
func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out) // never fails
	return out
}

func overwrite(t *testing.T, path string, page uint64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(data, int64(page)*pageSize)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// used is the number of pages in use.
func used(t *testing.T, path string) uint64 {
	t.Helper()
	r, err := journal.OpenReader(path, journal.Options{})
	require.NoError(t, err)
	report, err := r.Verify()
	require.NoError(t, err)
	return report.Pages
}

// root is the page at which a bucket begins.
func root(t *testing.T, path, bucket string) (page uint64) {
	t.Helper()
	look(t, path, bucket, func(b *bolt.Bucket) { page = uint64(b.Root()) })
	require.NotZero(t, page, "the bucket %s has no page of its own", bucket)
	return page
}

// leaves are the pages that have a bucket's entries, in order. A branch page has
// the number of its children at byte 10, and 16 bytes for each child from byte 16
// on, of which the last 8 are its page.
func leaves(t *testing.T, path, bucket string) []uint64 {
	t.Helper()
	top := root(t, path, bucket)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	page := file[top*pageSize:][:pageSize]
	require.Equal(t, uint16(1), binary.LittleEndian.Uint16(page[8:]), "the bucket %s is one page", bucket)
	var all []uint64
	for i := range int(binary.LittleEndian.Uint16(page[10:])) {
		all = append(all, binary.LittleEndian.Uint64(page[16+16*i+8:]))
	}
	return all
}

func look(t *testing.T, path, bucket string, f func(*bolt.Bucket)) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		f(tx.Bucket([]byte(bucket)))
		return nil
	}))
	require.NoError(t, db.Close())
}

// meddle changes a bucket behind the journal's back.
func meddle(bucket string, f func(*bolt.Bucket) error) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db, err := bolt.Open(path, 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket([]byte(bucket))) }))
		require.NoError(t, db.Close())
	}
}

// flip flips a bit in the n'th value of a bucket.
func flip(bucket string, n int) func(*testing.T, string) {
	return meddle(bucket, func(b *bolt.Bucket) error {
		k := nth(b, n)
		v := bytes.Clone(b.Get(k))
		v[len(v)/2] ^= 4
		return b.Put(k, v)
	})
}

// nth is the n'th key of a bucket, from the end when n is negative.
func nth(b *bolt.Bucket, n int) []byte {
	var keys [][]byte
	_ = b.ForEach(func(k, _ []byte) error {
		keys = append(keys, bytes.Clone(k))
		return nil
	})
	return keys[(n+len(keys))%len(keys)]
}
