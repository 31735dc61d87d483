package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits for the sizes of files: far above every sensible size, far below a harmful one.
const (
	maxPub       = 4 << 10
	maxKeys      = 1 << 20
	maxSignature = 16 << 10 // minisign takes trusted comments of 8 KiB
	maxSigned    = 4 << 20
)

// Names in the key directory.
const (
	rootDir       = "root"
	channelDir    = "channel"
	thresholdFile = "threshold"
	keysFile      = "keys.json"
	signedFile    = "keys.signed"
)

// readRegular reads a regular file of at most limit bytes, once. It refuses a pipe or a
// device without waiting for it.
func readRegular(path string, limit int64) (_ []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file; remove it", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: more than %d bytes; it is not what its name says", path, limit)
	}
	return data, nil
}

// readNames lists a directory in order; there is false when nothing has its name.
// A symlink that leads nowhere counts as there: its partition may not be mounted.
func readNames(dir string) (names []string, there bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, true, nil
}

// named is a public key and the file it is in.
type named struct {
	public
	name string
}

// readPublics reads the *.pub files among names.
func readPublics(dir string, names []string) ([]named, error) {
	var keys []named
	for _, name := range names {
		if !strings.HasSuffix(name, ".pub") {
			continue
		}
		path := filepath.Join(dir, name)
		text, err := readRegular(path, maxPub)
		if err != nil {
			return nil, err
		}
		p, err := parsePublicFile(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w; replace it with the key's .pub file, or remove it", path, err)
		}
		keys = append(keys, named{p, name})
	}
	return keys, nil
}

// readChannelKeys reads the keys for channels that were placed by hand. An updater that
// does not know them passes over their directory.
func readChannelKeys(dir string) ([]named, error) {
	dir = filepath.Join(dir, channelDir)
	names, _, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	keys, err := readPublics(dir, names)
	for i := range keys {
		keys[i].name = filepath.Join(channelDir, keys[i].name)
	}
	return keys, err
}
