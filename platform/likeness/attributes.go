package likeness

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/filecaps"
)

// kept reports whether a copy needs an extended attribute to be like the original: what
// its owner has given it, access lists, capabilities. Labels of the security module
// follow from where a file lies, and a file system's own attributes from the file system.
func kept(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "system.posix_acl_") || name == filecaps.Attribute
}

// attributes copies the extended attributes of a file or directory. It comes after the
// owner, whose change takes capabilities away, and after the mode, which an access list
// has parts of.
func attributes(in, out *os.File) error {
	names, err := listed(in)
	if err != nil {
		return err
	}
	for _, a := range names {
		value, err := read(func(buf []byte) (int, error) { return unix.Fgetxattr(int(in.Fd()), a, buf) })
		if err == nil {
			err = unix.Fsetxattr(int(out.Fd()), a, value, 0)
		}
		if err != nil {
			return fmt.Errorf("copy the attribute %s of %s: %w", a, in.Name(), err)
		}
	}
	return nil
}

// listed names the attributes of a file that are kept.
func listed(f *os.File) (names []string, err error) {
	list, err := read(func(buf []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), buf) })
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the attributes of %s: %w", f.Name(), err)
	}
	for name := range strings.SplitSeq(string(list), "\x00") {
		if kept(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// read calls get with a buffer that is large enough.
func read(get func(buf []byte) (int, error)) ([]byte, error) {
	const most = 64 << 10 // of a value, and of a list: xattr(7)
	buf := make([]byte, 256)
	n, err := get(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, most)
		n, err = get(buf)
	}
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
