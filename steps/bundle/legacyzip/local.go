package legacyzip

import (
	"bytes"
	"sort"

	"github.com/tope/updater/steps/bundle"
)

// span is a range of the file that belongs to one entry: its local header and
// its data.
type span struct{ from, to int64 }

// locate reads the local header of h and requires that it agrees with the directory.
// It returns where header and data lie, and where the data begins.
func (z *archive) locate(h *header, buf []byte) (span, int64, []byte, error) {
	fail := func(what string) (span, int64, []byte, error) {
		return span{}, 0, buf, bundle.Invalid("%q: its local header %s", h.path, what)
	}
	// The name is as long as in the directory, so one read gets header and name.
	name := len(h.path)
	if h.typ == bundle.Dir {
		name++
	}
	if need := localSize + name; cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:localSize+name]
	if h.offset > z.dir.offset-int64(len(buf)) {
		return fail("is not in front of the directory")
	}
	if err := readFull(z.f, buf, h.offset); err != nil {
		return span{}, 0, buf, err
	}
	if le.Uint32(buf) != localSignature {
		return fail("is not where the directory says")
	}
	if int(le.Uint16(buf[26:])) != name || !bytes.HasPrefix(buf[localSize:], []byte(h.path)) ||
		h.typ == bundle.Dir && buf[len(buf)-1] != '/' {
		return fail("has another name")
	}
	flags := le.Uint16(buf[6:])
	if flags&^knownFlags != 0 || (flags^h.flags)&flagDescriptor != 0 || le.Uint16(buf[8:]) != h.method {
		return fail("has other flags or another method")
	}
	crc, packed, size := le.Uint32(buf[14:]), int64(le.Uint32(buf[18:])), int64(le.Uint32(buf[22:]))
	// With a data descriptor the local header was written before these numbers were
	// known. With escapes they are in its ZIP64 field, which this function does not
	// read.
	later := flags&flagDescriptor != 0
	if crc != h.crc && (!later || crc != 0) {
		return fail("has another checksum")
	}
	if packed != h.packed && packed != escape32 && (!later || packed != 0) ||
		size != h.size && size != escape32 && (!later || size != 0) {
		return fail("has another size")
	}
	data := h.offset + int64(len(buf)) + int64(le.Uint16(buf[28:]))
	if data > z.dir.offset || h.packed > z.dir.offset-data {
		return fail("and data are not in front of the directory")
	}
	return span{h.offset, data + h.packed}, data, buf, nil
}

// checkSpans refuses entries that share bytes: with shared bytes a small file can
// unpack to petabytes.
func checkSpans(spans []span) error {
	sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return bundle.Invalid("two entries of the ZIP file overlap at byte %d", spans[i].from)
		}
	}
	return nil
}
