package download

import (
	"crypto/md5" //nolint:gosec // what publishers declare; signatures are another step's business
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// sink is the part file and the running MD5 of it.
type sink struct {
	dir    string
	f      *os.File
	hash   hash.Hash
	offset int64
	linked bool // the file's name is durable
}

func openSink(dir string) (*sink, error) {
	f, err := os.OpenFile(filepath.Join(dir, PartFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, steps.FromOS(err, "cannot write the download")
	}
	return newSink(dir, f), nil
}

func newSink(dir string, f *os.File) *sink {
	return &sink{dir: dir, f: f, hash: md5.New()} //nolint:gosec // see above
}

// cutTo puts the sink to offset, with the hash in the state after the bytes before it,
// and cuts off the rest of the file. It returns false when the file is shorter or the
// state unreadable; then the sink is at 0, and empty.
func (s *sink) cutTo(offset int64, state []byte) (bool, error) {
	info, err := s.f.Stat()
	if err != nil {
		return false, steps.FromOS(err, "cannot read the download")
	}
	ok, err := s.at(offset, state, info.Size())
	if err != nil {
		return false, steps.FromOS(err, "cannot read the download")
	}
	if err := s.f.Truncate(s.offset); err != nil {
		return false, steps.FromOS(err, "cannot cut the download to its checkpoint")
	}
	return ok, nil
}

// at puts position and hash to offset, or both to 0 when that is not possible.
func (s *sink) at(offset int64, state []byte, size int64) (bool, error) {
	ok := offset == 0 || offset <= size && restore(s.hash, state) == nil
	if !ok || offset == 0 {
		offset = 0
		s.hash.Reset()
	}
	_, err := s.f.Seek(offset, io.SeekStart)
	s.offset = offset
	return ok, err
}

// restore fails rather than panics on an invalid state.
func restore(h hash.Hash, state []byte) error {
	u, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return fmt.Errorf("cannot restore the state of %T", h)
	}
	return u.UnmarshalBinary(state)
}

func (s *sink) write(p []byte) error {
	n, err := s.f.Write(p)
	s.hash.Write(p[:n])
	s.offset += int64(n)
	if err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	return nil
}

// sync makes everything written so far durable and returns the hash's state.
// The name of the file has to be durable too, once, or a power cut would take
// the bytes with it.
func (s *sink) sync() ([]byte, error) {
	if err := datasync(s.f); err != nil {
		return nil, steps.FromOS(err, "cannot sync the download")
	}
	if !s.linked {
		if err := disk.SyncDir(s.dir); err != nil {
			return nil, steps.FromOS(err, "cannot sync the download")
		}
		s.linked = true
	}
	m, ok := s.hash.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("cannot save the state of %T", s.hash)
	}
	return m.MarshalBinary()
}

func (s *sink) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// publish gives the part file the bundle's name.
func (s *sink) publish() error {
	if err := s.f.Sync(); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	// If the power goes from here on, the part file is whole on disk, at worst under
	// its old name and with an older checkpoint; at most its end is fetched again.
	if err := os.Rename(s.f.Name(), filepath.Join(s.dir, bundle.FileName)); err != nil {
		return steps.FromOS(err, "cannot name the download")
	}
	// If the power goes here, the file has one name or the other, with the same
	// content. After the next line it has the bundle's name, durably.
	if err := disk.SyncDir(s.dir); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	return nil
}

func (s *sink) close() { _ = s.f.Close() } // everything that matters was synced

// datasync is fdatasync: the data and the size, not the times.
func datasync(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); syncErr != unix.EINTR { // a bare errno
				return
			}
		}
	})
	if err != nil {
		return err
	}
	if syncErr != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: syncErr}
	}
	return nil
}
