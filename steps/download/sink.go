package download

import (
	"crypto/md5" //nolint:gosec // what publishers declare; signatures are another step's business
	"crypto/sha256"
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

// sink is the part file and the running digests of it.
type sink struct {
	dir  string
	f    *os.File
	hash hash.Hash
	// sha is nil when nobody has declared a SHA-256.
	sha    hash.Hash
	offset int64
	linked bool // the file's name is durable
}

func openSink(dir string, sha bool) (*sink, error) {
	f, err := os.OpenFile(filepath.Join(dir, PartFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, steps.FromOS(err, "cannot write the download")
	}
	return newSink(dir, f, sha), nil
}

func newSink(dir string, f *os.File, sha bool) *sink {
	s := &sink{dir: dir, f: f, hash: md5.New()} //nolint:gosec // see above
	if sha {
		s.sha = sha256.New()
	}
	return s
}

// cutTo puts the sink to offset, with the hashes in their states after the bytes before it,
// and cuts off the rest of the file. It returns false when the file is shorter or the
// state unreadable; then the sink is at 0, and empty.
func (s *sink) cutTo(offset int64, state states) (bool, error) {
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

// at puts position and hashes to offset, or all to 0 when that is not possible.
func (s *sink) at(offset int64, state states, size int64) (bool, error) {
	ok := offset == 0 || offset <= size && restore(s.hash, state.Hash) == nil
	if !ok || offset == 0 {
		offset = 0
		s.hash.Reset()
	}
	if s.sha != nil && (offset == 0 || restore(s.sha, state.SHA256) != nil) {
		// Whoever fetched these bytes was asked for no SHA-256, so they are read for it.
		s.sha.Reset()
		if _, err := io.Copy(s.sha, io.NewSectionReader(s.f, 0, offset)); err != nil {
			return false, err
		}
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
	s.count(p[:n])
	if err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	return nil
}

// count takes bytes that are in the file into the hashes.
func (s *sink) count(p []byte) {
	s.hash.Write(p)
	if s.sha != nil {
		s.sha.Write(p)
	}
	s.offset += int64(len(p))
}

// sync makes everything written so far durable and returns the hashes' states.
// The name of the file has to be durable too, once, or a power cut would take
// the bytes with it.
func (s *sink) sync() (st states, err error) {
	if err := datasync(s.f); err != nil {
		return st, steps.FromOS(err, "cannot sync the download")
	}
	if !s.linked {
		if err := disk.SyncDir(s.dir); err != nil {
			return st, steps.FromOS(err, "cannot sync the download")
		}
		s.linked = true
	}
	if st.Hash, err = marshal(s.hash); err == nil && s.sha != nil {
		st.SHA256, err = marshal(s.sha)
	}
	return st, err
}

func marshal(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("cannot save the state of %T", h)
	}
	return m.MarshalBinary()
}

func (s *sink) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// differs returns the digest that is not the one that a source has declared; nil when
// there is none.
func (s *sink) differs(src steps.Source) *wrongDigest {
	if sum := s.sum(); src.MD5 != "" && src.MD5 != sum {
		return &wrongDigest{steps.MD5Mismatch, "MD5", sum, src.MD5}
	}
	if s.sha == nil {
		return nil
	}
	if sum := hex.EncodeToString(s.sha.Sum(nil)); src.SHA256 != sum {
		return &wrongDigest{steps.SHA256Mismatch, "SHA-256", sum, src.SHA256}
	}
	return nil
}

// wrongDigest is a digest of the file that is not the declared one.
type wrongDigest struct {
	code                steps.Code
	kind, sum, declared string
}

func (w *wrongDigest) Error() string {
	return fmt.Sprintf("the %s is %s, %s was declared", w.kind, w.sum, w.declared)
}

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
