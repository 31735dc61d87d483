package trust

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
)

// Why Update does not take a keys.json; wrapped with the details.
var (
	// ErrRefused: the new file is to blame, and the present one stays in force.
	ErrRefused = errors.New("keys.json refused")
	// ErrOldSerial: an ErrRefused, for a serial that is not higher than the present one's.
	ErrOldSerial = errors.New("its serial is not higher than the present one's")
)

// Update checks a new keys.json against the root keys in dir, a host path, and puts it
// in force, durably. Its signatures have to reach the threshold, it has to be sound and
// not expired at now, and its serial has to be higher than the present one's. Otherwise
// Update returns ErrRefused, and for an old serial also ErrOldSerial. If the new file
// has the same bytes as the present one, Update changes nothing and succeeds. It does
// not replace a present keys.json that cannot be checked. Calls wait for each other.
func Update(dir string, keys []byte, signatures [][]byte, now time.Time) (err error) {
	unlock, err := lock(dir)
	if err != nil {
		return fmt.Errorf("update the keys: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := update(dir, keys, numbered(signatures), now); err != nil {
		return fmt.Errorf("update the keys: %w", err)
	}
	return nil
}

// UpdateSigned is Update for a whole keys.signed, as another device or a channel's server
// has it. What is not one is an ErrRefused, too.
func UpdateSigned(dir string, signed []byte, now time.Time) error {
	s, err := parseSigned(signed)
	if err != nil {
		return fmt.Errorf("update the keys: %w: %w", ErrRefused, err)
	}
	return Update(dir, s.Keys, s.Signatures, now)
}

func update(dir string, keys []byte, signatures []signature, now time.Time) error {
	names, _, err := readNames(dir)
	if err != nil {
		return err
	}
	r, err := readRoots(dir)
	if err != nil {
		return err
	}
	if len(keys) > maxKeys {
		return fmt.Errorf("%w: more than %d bytes", ErrRefused, maxKeys)
	}
	good, err := r.check(keys, signatures)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	next, err := parseKeys(keys)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	docs, err := r.present(dir, names)
	if err != nil {
		return err
	}
	if len(docs) > 0 {
		present := docs[0]
		if bytes.Equal(present.text, next.text) {
			// The Update that put it there may have been killed before it was durable.
			return disk.SyncDir(dir)
		}
		if compareSerial(next, present) <= 0 {
			return fmt.Errorf("%w: %w: %d, where %d is in force; fetch the newest", ErrRefused, ErrOldSerial, next.serial, present.serial)
		}
	}
	if err := next.expired(now); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	text, err := encodeSigned(next.text, good)
	if err != nil {
		return err
	}
	// If the power goes during this call, the old file or the new one is on disk,
	// whole, and perhaps a temporary file that Load ignores and the next call replaces.
	return disk.WriteFile(filepath.Join(dir, signedFile), text, 0o644)
}

// lock keeps two calls from finding the same serial present. The lock is on the
// directory, and ends with the process.
func lock(dir string) (unlock func() error, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), d.Close())
	}
	return d.Close, nil
}
