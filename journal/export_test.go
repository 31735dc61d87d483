package journal

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
)

// PageSize is the size of a page in the file.
const PageSize = pageSize

// Buckets are the names of all buckets.
func Buckets() []string { return bucketNames() }

// Pages returns the pages a bucket's tree has outside its parent, leaves last
// and in order; for "" the root's.
func Pages(t testing.TB, path, bucket string) []uint64 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	im, _, err := openImage(f, info.Size())
	require.NoError(t, err)
	where := tree{root: im.root}
	if bucket != "" {
		where, err = im.bucket(bucket)
		require.NoError(t, err)
	}
	var pages []uint64
	im.seen = func(id, _ uint64) error { pages = append(pages, id); return nil }
	require.NoError(t, im.each(where, nil, func(entry) error { return nil }, nil))
	return pages
}

// Freelist is the page of the free list.
func Freelist(t testing.TB, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, h, err := openImage(f, 1<<40)
	require.NoError(t, err)
	return h.freelist
}

// Newest is the meta page of the newest transaction, and how many pages are in use.
func Newest(t testing.TB, path string) (meta, pages uint64) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, h, err := openImage(f, 1<<40)
	require.NoError(t, err)
	return h.tx % 2, h.pages
}

// CheckWithBolt is bbolt's own opinion of the file.
func CheckWithBolt(t testing.TB, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			require.NoError(t, err)
		}
		return nil
	}))
}

// Meddle changes a bucket's values behind the journal's back, with checksums of
// the file as they should be.
func Meddle(t testing.TB, path, bucket string, f func(b *bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket([]byte(bucket))) }))
	require.NoError(t, db.Close())
}

// Seal is the stored form of a value outside the chain.
func Seal(key string, payload []byte) []byte { return seal(key, payload) }

// Chained is the stored form of a payload in the chain.
func Chained(t testing.TB, prev string, seq uint64, payload []byte) []byte {
	t.Helper()
	before, err := parseSum(prev)
	require.NoError(t, err)
	value := append(make([]byte, headSize), payload...)
	value[0] = format
	sum := chain(before, key(seq), value)
	copy(value[1:], sum[:])
	return value
}
