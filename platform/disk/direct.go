package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The alignment that suffices for O_DIRECT on every block device in use, and the
// size of one read.
const (
	directAlign = 4096
	directBlock = 256 << 10
)

// Direct reads a file from the disk, not from the page cache: what it returns
// is what a reboot would find. Where the file system cannot read directly
// (tmpfs before Linux 6.6, some overlays) the file's clean pages are dropped
// from the cache first; pages that a running program maps stay, and Bypassed
// is false.
//
// Dirty pages are not on disk yet: sync first (SyncFS). Not safe for
// concurrent use.
type Direct struct {
	f        *os.File
	size     int64  // when it was opened
	read     int64  // so far, from f
	buf      []byte // one aligned block
	have     []byte // the part of buf not handed out yet
	bypassed bool
}

// OpenDirect opens the regular file name below root.
func OpenDirect(root *os.Root, name string) (*Direct, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, fmt.Errorf("read %s: not a regular file", name)
	}
	d := &Direct{size: info.Size(), buf: alignedBlock(), bypassed: true}
	d.f, err = root.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if err == nil {
		return d, nil
	}
	if !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	d.bypassed = false
	if d.f, err = root.Open(name); err != nil {
		return nil, err
	}
	if err := DropCache(d.f); err != nil {
		return nil, errors.Join(err, d.f.Close())
	}
	return d, nil
}

// Bypassed reports whether the page cache was bypassed rather than emptied.
func (d *Direct) Bypassed() bool { return d.bypassed }

// Read implements io.Reader.
func (d *Direct) Read(p []byte) (int, error) {
	if len(d.have) == 0 {
		if d.read%directAlign != 0 && d.read >= d.size {
			return 0, io.EOF // a direct read from here would be EINVAL, not the end
		}
		n, err := d.f.Read(d.buf)
		if d.bypassed && errors.Is(err, unix.EINVAL) {
			// The file opened for direct reads and yet refuses them: a stacked file
			// system, or a device with larger blocks. The offset has not moved.
			if err := d.giveUpBypass(); err != nil {
				return 0, err
			}
			n, err = d.f.Read(d.buf)
		}
		if n == 0 {
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
		d.have = d.buf[:n]
		d.read += int64(n)
	}
	n := copy(p, d.have)
	d.have = d.have[n:]
	return n, nil
}

// Close closes the file.
func (d *Direct) Close() error { return d.f.Close() }

func (d *Direct) giveUpBypass() error {
	flags, err := unix.FcntlInt(d.f.Fd(), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(d.f.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT)
	}
	if err != nil {
		return fmt.Errorf("read %s without O_DIRECT: %w", d.f.Name(), err)
	}
	d.bypassed = false
	return DropCache(d.f)
}

// DropCache makes the next reads of f come from the disk, as far as the kernel
// allows: it syncs the file, since dirty pages are never dropped, and drops the
// clean ones. Pages that a running program maps stay.
func DropCache(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("drop %s from the page cache: %w", f.Name(), err)
	}
	return nil
}

func alignedBlock() []byte {
	buf := make([]byte, directBlock+directAlign)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(buf))) & (directAlign - 1)
	return buf[skip : skip+directBlock : skip+directBlock]
}
