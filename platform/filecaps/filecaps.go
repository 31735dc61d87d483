// Package filecaps reads and sets the capabilities of files (capabilities(7)): the
// rights beyond its user's that a program has whoever starts it, such as
// cap_net_bind_service. They are the attribute security.capability of a file.
//
// A Set has one text, which setcap takes, too: "cap_net_admin,cap_net_raw=ep". A
// file without capabilities and one with none of them are the same here.
//
// The kernel takes the capabilities from a file that is written to or given to
// another owner: set them last. A change of mode leaves them.
//
// Start at Of and Set.Apply.
package filecaps

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Attribute is the name of the extended attribute that has a file's capabilities.
const Attribute = "security.capability"

// Set is the capabilities of one file; the zero Set is none. Bit n of each field is
// capability number n of <linux/capability.h>.
type Set struct {
	// Permitted are given to the program. Inheritable are given if the process that
	// starts it has them as inheritable, too.
	Permitted, Inheritable uint64
	// Effective says that the program has them from its start on, and need not ask
	// for them.
	Effective bool
}

// None reports whether s has no capability.
func (s Set) None() bool { return s.Permitted|s.Inheritable == 0 }

// ErrForeign says that a file has capabilities that cannot be taken elsewhere: those
// that a container has set count in its user namespace only. The attribute may also
// have a format that is not known.
var ErrForeign = errors.New("capabilities of a kind that cannot be carried")

// The layout of the attribute, struct vfs_cap_data of <linux/capability.h>: all
// numbers have 32 bits and the lower byte first.
const (
	revisionMask   = 0xff000000
	revision1      = 0x01000000 // 32 capabilities
	revision2      = 0x02000000 // 64 of them
	revision3      = 0x03000000 // and a user id: of the namespace's root
	flagEffective  = 0x000001
	size1          = 4 + 8
	size2          = 4 + 16
	size3          = 4 + 16 + 4
	halfPermitted  = 4
	halfInheritble = 8
)

// Of reads the capabilities of the file at path, without following a link there. It
// needs the right to search its directories only. A file system without
// capabilities has files without capabilities. See ErrForeign.
func Of(path string) (Set, error) {
	var buf [64]byte
	for {
		n, err := unix.Lgetxattr(path, Attribute, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
			return Set{}, nil
		case errors.Is(err, unix.ERANGE):
			return Set{}, fmt.Errorf("%s: %w", path, ErrForeign)
		case err != nil:
			return Set{}, &os.PathError{Op: "read the capabilities", Path: path, Err: err}
		}
		s, err := decode(buf[:n])
		if err != nil {
			return Set{}, fmt.Errorf("%s: %w", path, err)
		}
		return s, nil
	}
}

// Apply gives the file exactly these capabilities, and takes all from it when s is
// none. It is for root, with CAP_SETFCAP (fs.ErrPermission); a file system that has
// no capabilities is errors.ErrUnsupported. It is as durable as a change of mode: a
// sync of the file or the file system makes it so.
func (s Set) Apply(f *os.File) error {
	set := func() error { return unix.Fsetxattr(int(f.Fd()), Attribute, s.encode(), 0) }
	if s.None() {
		set = func() error { return unix.Fremovexattr(int(f.Fd()), Attribute) }
	}
	for {
		err := set()
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil, s.None() && errors.Is(err, unix.ENODATA), s.None() && errors.Is(err, unix.EOPNOTSUPP):
			return nil
		}
		return &os.PathError{Op: "set the capabilities", Path: f.Name(), Err: err}
	}
}

func (s Set) encode() []byte {
	head := uint32(revision2)
	if s.Effective {
		head |= flagEffective
	}
	out := make([]byte, 0, size2)
	for _, n := range []uint32{head, low(s.Permitted), low(s.Inheritable), high(s.Permitted), high(s.Inheritable)} {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}

func low(n uint64) uint32  { return uint32(n & 0xffffffff) }
func high(n uint64) uint32 { return uint32(n >> 32) }

func decode(data []byte) (Set, error) {
	if len(data) < size1 {
		return Set{}, ErrForeign
	}
	head := binary.LittleEndian.Uint32(data)
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(data[i:])) }
	s := Set{Permitted: word(halfPermitted), Inheritable: word(halfInheritble), Effective: head&flagEffective != 0}
	switch revision := head & revisionMask; {
	case head&^(revisionMask|flagEffective) != 0:
		return Set{}, ErrForeign
	case revision == revision1 && len(data) == size1:
	case revision == revision2 && len(data) == size2:
		s.Permitted |= word(size1) << 32
		s.Inheritable |= word(size1+4) << 32
	case revision == revision3 && len(data) == size3:
		return Set{}, fmt.Errorf("%w: they count in the user namespace of user %d only", ErrForeign, word(size2))
	default:
		return Set{}, ErrForeign
	}
	if s.None() {
		return Set{}, nil
	}
	return s, nil
}
