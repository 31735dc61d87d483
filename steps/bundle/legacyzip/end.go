package legacyzip

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/tope/updater/steps/bundle"
)

// Signatures and sizes of the records, without their variable parts.
const (
	endSignature      = 0x06054b50
	end64Signature    = 0x06064b50
	locatorSignature  = 0x07064b50
	centralSignature  = 0x02014b50
	localSignature    = 0x04034b50
	endSize           = 22
	end64Size         = 56
	locatorSize       = 20
	centralSize       = 46
	localSize         = 30
	escape16          = math.MaxUint16 // "see the ZIP64 record"
	escape32          = math.MaxUint32
	zip64ExtraID      = 1
	longestEndComment = math.MaxUint16
)

var le = binary.LittleEndian

// directory is where the central directory lies and how many entries it has.
type directory struct {
	offset, size int64
	count        int64
}

// findDirectory reads the end of the archive. Everything it returns lies
// within the file: the directory, then directly the end records, then nothing.
func findDirectory(r io.ReaderAt, size int64) (directory, error) {
	tail := make([]byte, min(size, endSize+longestEndComment))
	if err := readFull(r, tail, size-int64(len(tail))); err != nil {
		return directory{}, err
	}
	at := -1
	for i := len(tail) - endSize; i >= 0; i-- {
		comment := len(tail) - i - endSize
		if le.Uint32(tail[i:]) != endSignature || int(le.Uint16(tail[i+20:])) != comment {
			continue
		}
		if at >= 0 {
			return directory{}, bundle.Invalid("the ZIP file has two end records")
		}
		at = i
	}
	if at < 0 {
		return directory{}, bundle.WithHint(whole, bundle.Invalid("the ZIP file has no end record: it was cut short, or something was added to it"))
	}
	end := tail[at:]
	endAt := size - int64(len(end))
	here := le.Uint16(end[8:])
	d := directory{
		count:  int64(le.Uint16(end[10:])),
		size:   int64(le.Uint32(end[12:])),
		offset: int64(le.Uint32(end[16:])),
	}
	if le.Uint16(end[4:]) != le.Uint16(end[6:]) || int64(here) != d.count {
		return directory{}, bundle.WithHint(joined, bundle.Invalid("the ZIP file is part of a split archive"))
	}
	limit := endAt
	if d.count == escape16 || d.size == escape32 || d.offset == escape32 {
		d64, at64, err := findDirectory64(r, endAt, d)
		if err != nil {
			return directory{}, err
		}
		d, limit = d64, at64
	} else if le.Uint16(end[4:]) != 0 {
		return directory{}, bundle.WithHint(joined, bundle.Invalid("the ZIP file is part of a split archive"))
	}
	if d.offset > limit || d.size != limit-d.offset {
		return directory{}, bundle.Invalid("the ZIP directory of %d bytes at %d does not end where its end record begins, at %d",
			d.size, d.offset, limit)
	}
	return d, nil
}

// findDirectory64 reads the ZIP64 end record in front of the end record at endAt. A
// number that fits into the old record must be the same in both.
func findDirectory64(r io.ReaderAt, endAt int64, old directory) (directory, int64, error) {
	fail := func(what string) (directory, int64, error) {
		return directory{}, 0, bundle.Invalid("the ZIP64 end record %s", what)
	}
	if endAt < locatorSize+end64Size {
		if old.count == escape16 && old.size != escape32 && old.offset != escape32 {
			return old, endAt, nil // 65,535 entries exactly, and no room for more records
		}
		return fail("is missing")
	}
	var rec [end64Size + locatorSize]byte
	at := endAt - int64(len(rec))
	if err := readFull(r, rec[:], at); err != nil {
		return directory{}, 0, err
	}
	locator := rec[end64Size:]
	if le.Uint32(locator) != locatorSignature {
		if old.count == escape16 && old.size != escape32 && old.offset != escape32 {
			return old, endAt, nil // 65,535 entries exactly, not an escape
		}
		return fail("is missing")
	}
	if le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) > 1 {
		return fail("is on another disk")
	}
	if le.Uint64(locator[8:]) != uint64(at) || le.Uint32(rec[:]) != end64Signature ||
		le.Uint64(rec[4:]) != end64Size-12 {
		return fail("is not in front of its locator")
	}
	if le.Uint32(rec[16:]) != 0 || le.Uint32(rec[20:]) != 0 || le.Uint64(rec[24:]) != le.Uint64(rec[32:]) {
		return fail("says that the archive is split")
	}
	d := directory{}
	for _, f := range []struct {
		to     *int64
		at     int
		old    int64
		escape int64
	}{
		{&d.count, 32, old.count, escape16},
		{&d.size, 40, old.size, escape32},
		{&d.offset, 48, old.offset, escape32},
	} {
		v := le.Uint64(rec[f.at:])
		if v > math.MaxInt64 {
			return fail("has a number that no file can hold")
		}
		*f.to = int64(v)
		if f.old != f.escape && f.old != *f.to {
			return fail("disagrees with the end record")
		}
	}
	return d, at, nil
}
