package journal

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt's file format, as far as it must be known to look at a file before
// bbolt maps it: bbolt makes an empty file new, dies on a short one, and falls
// back to an older transaction without a word. All numbers are in the byte
// order of the machine, which is little-endian wherever this program runs.
//
//	page    id u64 · flags u16 · count u16 · overflow u32, then its elements
//	meta    magic u32 · version u32 · page size u32 · flags u32 ·
//	        root bucket (page u64, sequence u64) · freelist u64 ·
//	        high-water mark u64 · transaction u64 · FNV-1a of all that u64
//	leaf    flags u32 · position u32 · key size u32 · value size u32
//	branch  position u32 · key size u32 · page u64
//	bucket  root page u64 · sequence u64 · the page itself when root is 0
//
// Pages 0 and 1 are metas; a transaction writes the one its number points at.
const (
	pageSize     = 4096
	pageHead     = 16
	elementSize  = 16
	bucketHead   = 16
	metaSize     = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01
	noFreelist   = 0xFFFFFFFFFFFFFFFF
)

var le = binary.LittleEndian

// meta is one meta page's content.
type meta struct {
	root, freelist, pages, tx uint64
}

// header is the content of the two meta pages together.
type header struct {
	meta
	// older is the other meta page, when that is whole too.
	older *meta
	// bad says what is wrong with the other meta page; empty when it is good.
	bad string
}

// readHeader reads and checks both meta pages of a file of size bytes. An error
// is a *flaw.
func readHeader(r io.ReaderAt, size int64) (header, error) {
	if size == 0 {
		return header{}, &flaw{DamagedEmpty, "the file is empty"}
	}
	if size < 2*pageSize {
		return header{}, &flaw{DamagedShort, fmt.Sprintf("the file has %d bytes, not even room for its header", size)}
	}
	buf := make([]byte, 2*pageSize)
	if _, err := r.ReadAt(buf, 0); err != nil {
		return header{}, &flaw{DamagedHeader, fmt.Sprintf("the header cannot be read: %v", err)}
	}
	a, errA := parseMeta(buf[:pageSize], 0)
	b, errB := parseMeta(buf[pageSize:], 1)
	h := header{}
	switch {
	case errA != nil && errB != nil:
		return h, &flaw{DamagedHeader, fmt.Sprintf("both header pages are bad (%v; %v)", errA, errB)}
	case errA != nil:
		h.meta, h.bad = b, errA.Error()
	case errB != nil:
		h.meta, h.bad = a, errB.Error()
	case a.tx >= b.tx:
		h.meta, h.older = a, &b
	default:
		h.meta, h.older = b, &a
	}
	return h, h.check(size)
}

// openImage reads the header of a file of size bytes and returns it with the
// newest transaction. Even with a *flaw, both may be usable for reading around
// the damage; they are then not nil.
func openImage(r io.ReaderAt, size int64) (*image, *header, error) {
	h, err := readHeader(r, size)
	if h.pages == 0 {
		return nil, nil, err
	}
	im := &image{r: r, meta: h.meta}
	im.pages = min(im.pages, uint64(size)/pageSize)
	return im, &h, err
}

// check returns a *flaw when what m describes does not fit into a file of size
// bytes.
func (m meta) check(size int64) error {
	if m.pages > uint64(size)/pageSize {
		return &flaw{DamagedShort, fmt.Sprintf("the file ends at %d bytes, but %d are in use", size, m.pages*pageSize)}
	}
	outside := func(id uint64) bool { return id < 2 || id >= m.pages }
	if outside(m.root) || outside(m.freelist) && m.freelist != noFreelist {
		return &flaw{DamagedHeader, "the header leads outside the file"}
	}
	return nil
}

// parseMeta accepts exactly the meta pages that bbolt accepts, so that both
// always read the same transaction.
func parseMeta(p []byte, id uint64) (meta, error) {
	m := p[pageHead:]
	switch {
	case le.Uint32(m) != metaMagic:
		return meta{}, fmt.Errorf("page %d is not a bbolt header", id)
	case le.Uint32(m[4:]) != metaVersion:
		return meta{}, fmt.Errorf("page %d has bbolt's version %d, not %d", id, le.Uint32(m[4:]), metaVersion)
	case le.Uint32(m[8:]) != pageSize:
		return meta{}, fmt.Errorf("page %d has pages of %d bytes, not %d", id, le.Uint32(m[8:]), pageSize)
	case le.Uint64(m[metaSize-8:]) != metaSum(m):
		return meta{}, fmt.Errorf("page %d does not match its checksum", id)
	}
	return meta{root: le.Uint64(m[16:]), freelist: le.Uint64(m[32:]), pages: le.Uint64(m[40:]), tx: le.Uint64(m[48:])}, nil
}

func metaSum(m []byte) uint64 {
	h := fnv.New64a()
	h.Write(m[:metaSize-8])
	return h.Sum64()
}
