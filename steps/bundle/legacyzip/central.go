package legacyzip

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"strings"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Compression methods.
const (
	store   = 0
	deflate = 8
)

// Bits of the flags.
const (
	flagEncrypted  = 1<<0 | 1<<6 | 1<<13
	flagDescriptor = 1 << 3
	// knownFlags: the level of deflate, a data descriptor, UTF-8 names. All other
	// bits mean encryption or extensions.
	knownFlags = 1<<1 | 1<<2 | flagDescriptor | 1<<11
)

// The Unix file types, as in the upper half of the external attributes.
const (
	unixType    = 0o170000
	unixRegular = 0o100000
	unixDir     = 0o040000
	unixLink    = 0o120000
	unixSpecial = 0o007000 // setuid, setgid, sticky
)

// header is one entry of the central directory, checked by itself.
type header struct {
	// path has no slash at its end; typ says whether it is a directory.
	path   string
	typ    bundle.Type
	mode   fs.FileMode // 0: the entry has none
	flags  uint16
	method uint16
	crc    uint32
	packed int64
	size   int64
	offset int64
	// special: the entry has setuid, setgid or sticky bits, which are left out.
	special bool
}

// headers walks the central directory. The walk ends in an error when the directory
// has more or fewer bytes or entries than its end record says.
func (z *archive) headers() iter.Seq2[*header, error] {
	return func(yield func(*header, error) bool) {
		section := io.NewSectionReader(z.f, z.dir.offset, z.dir.size)
		r := bufio.NewReaderSize(section, 32<<10)
		var h header
		var buf []byte
		for range z.dir.count {
			var err error
			if buf, err = z.readHeader(r, &h, buf); err != nil {
				yield(nil, err)
				return
			}
			if !yield(&h, nil) {
				return
			}
		}
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			yield(nil, bundle.Invalid("the ZIP directory has more than the %d entries it declares", z.dir.count))
		}
	}
}

// readHeader reads the next entry into h. buf is scratch space, returned to be used again.
func (z *archive) readHeader(r io.Reader, h *header, buf []byte) ([]byte, error) {
	var fixed [centralSize]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return buf, readError(err)
	}
	if le.Uint32(fixed[:]) != centralSignature {
		return buf, bundle.Invalid("the ZIP directory is damaged")
	}
	name, extra, comment := int(le.Uint16(fixed[28:])), int(le.Uint16(fixed[30:])), int(le.Uint16(fixed[32:]))
	if need := name + extra + comment; cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:name+extra+comment]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, readError(err)
	}
	*h = header{
		flags:  le.Uint16(fixed[8:]),
		method: le.Uint16(fixed[10:]),
		crc:    le.Uint32(fixed[16:]),
		packed: int64(le.Uint32(fixed[20:])),
		size:   int64(le.Uint32(fixed[24:])),
		offset: int64(le.Uint32(fixed[42:])),
	}
	if err := h.name(string(buf[:name]), z.limits); err != nil {
		return buf, err
	}
	if disk := le.Uint16(fixed[34:]); disk != 0 && disk != escape16 {
		return buf, bundle.WithHint(joined, bundle.Invalid("%q is on another disk of a split archive", h.path))
	}
	if err := h.zip64(buf[name : name+extra]); err != nil {
		return buf, err
	}
	if err := h.attributes(fixed[5], le.Uint32(fixed[38:])>>16); err != nil {
		return buf, err
	}
	return buf, h.check(z.limits)
}

func (h *header) name(name string, limits bundle.Limits) error {
	h.path, h.typ = name, bundle.File
	if dir, ok := strings.CutSuffix(name, "/"); ok {
		h.path, h.typ = dir, bundle.Dir
	}
	if err := nameHabits(name); err != nil {
		return err
	}
	return bundle.CheckPath(h.path, limits)
}

// zip64 takes the numbers that did not fit into the header from the extra fields.
func (h *header) zip64(extra []byte) error {
	var fields []byte
	found := false
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return bundle.Invalid("%q: an extra field of its header is cut short", h.path)
		}
		if id == zip64ExtraID {
			if found {
				return bundle.Invalid("%q has two ZIP64 fields", h.path)
			}
			found, fields = true, extra[4:4+n]
		}
		extra = extra[4+n:]
	}
	for _, field := range []*int64{&h.size, &h.packed, &h.offset} {
		if *field != escape32 {
			continue
		}
		if len(fields) < 8 || le.Uint64(fields) > math.MaxInt64 {
			return bundle.Invalid("%q: its ZIP64 field does not hold what its header leaves to it", h.path)
		}
		*field = int64(le.Uint64(fields))
		fields = fields[8:]
	}
	return nil
}

// attributes takes the Unix type and mode, if the entry was made on Unix. It ignores a
// mode without a type, since programs such as Python's writestr invent it. A setuid
// program is refused: it would run with other rights than its maker thinks. The same bits
// of a directory often come from where it was packed, a group's common directory, and do
// nothing in a version, where nobody writes: they are left out, and told.
func (h *header) attributes(creator byte, attrs uint32) error {
	const creatorUnix, creatorDarwin = 3, 19
	if creator != creatorUnix && creator != creatorDarwin {
		return nil
	}
	h.special = attrs&unixSpecial != 0 && attrs&unixType != unixLink // a link's mode says nothing
	if attrs&unixType == 0 {
		return nil
	}
	h.mode = fs.FileMode(attrs & 0o777)
	dir := h.typ == bundle.Dir
	switch attrs & unixType {
	case unixRegular:
		if attrs&unixSpecial != 0 {
			return bundle.WithHint("chmod these bits away", bundle.Invalid("%q is setuid, setgid or sticky", h.path))
		}
		if dir {
			return bundle.Invalid("%q is a file whose name ends like a directory's", h.path)
		}
	case unixDir:
		if !dir {
			return bundle.Invalid("%q is a directory whose name ends like a file's", h.path)
		}
	case unixLink:
		if dir {
			return bundle.Invalid("%q is a link whose name ends like a directory's", h.path)
		}
		h.typ = bundle.Link
	default:
		return bundle.Invalid("%q is a device, pipe or socket (mode %o)", h.path, attrs)
	}
	return nil
}

func (h *header) check(limits bundle.Limits) error {
	if h.flags&flagEncrypted != 0 {
		return bundle.WithHint(unlock, bundle.Invalid("%q is encrypted", h.path))
	}
	if unknown := h.flags &^ knownFlags; unknown != 0 {
		return bundle.WithHint(plain, bundle.Invalid("%q needs a feature of ZIP that is not supported (flags %#x)", h.path, unknown))
	}
	switch {
	case h.method != store && h.method != deflate:
		return bundle.WithHint(plain, bundle.Invalid("%q is compressed with %s", h.path, methodName(h.method)))
	case h.method == store && h.packed != h.size:
		return bundle.Invalid("%q is stored, but has %d bytes in the package and %d unpacked", h.path, h.packed, h.size)
	case h.typ == bundle.Dir && h.size != 0:
		return bundle.Invalid("directory %q has content", h.path)
	case h.typ == bundle.Link && h.size > int64(limits.Path):
		return bundle.Invalid("link %q: its target has %d bytes, more than the %d allowed", h.path, h.size, limits.Path)
	}
	return limits.CheckSize(h.path, h.size, h.packed)
}

// readFull fills buf from offset at.
func readFull(r io.ReaderAt, buf []byte, at int64) error {
	n, err := r.ReadAt(buf, at)
	if n == len(buf) {
		return nil
	}
	return readError(err)
}

// readError tells a package that ends too early from a disk that cannot be read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bundle.WithHint(whole, bundle.Invalid("the ZIP file ends in the middle of a record: it was cut short"))
	}
	return steps.FromOS(err, "cannot read the package")
}
