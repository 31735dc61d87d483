package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/steps"
)

// handedSource copies a local file that somebody has opened with his own rights and
// handed over. The updater may open every file, so it reads that one and no other: the
// open file itself, and after a restart what has its path, if that is the same file,
// unchanged, in the same boot.
func handedSource(cfg Config, path string, h *steps.Handed) localSource {
	if h.File != nil {
		return localSource{
			path:    path,
			acquire: func() (*os.File, error) { return h.File, nil },
			release: func(*os.File) error { return nil }, // the engine closes it
			stat:    (*os.File).Stat,
		}
	}
	return localSource{
		path: path,
		acquire: func() (*os.File, error) {
			f, err := openSame(path, h.ID, cfg.Clock.Boot())
			if err != nil && cfg.Outside != "" { // it may lie where this process has a /tmp of its own
				if there, ferr := openSame(filepath.Join(cfg.Outside, path), h.ID, cfg.Clock.Boot()); ferr == nil {
					return there, nil
				}
			}
			return f, err
		},
		release: (*os.File).Close,
		stat:    (*os.File).Stat,
	}
}

// openSame opens a file by its path again, if it has the identity. Whoever handed the
// file over may have put anything in its place, so everything else is the same refusal:
// it does not tell what is there. The file is found without being opened, which could
// have an effect, as with a device.
func openSame(path, id, boot string) (*os.File, error) {
	gone := unavailable("install it again: what was copied is kept", "the file that was handed over cannot be found again after a restart of the updater")
	found, err := os.OpenFile(path, unix.O_PATH, 0)
	if err != nil {
		return nil, gone
	}
	defer func() { _ = found.Close() }() // nothing was read
	info, err := found.Stat()
	if err != nil || !info.Mode().IsRegular() || id == "" || source.Identity(info, boot) != id {
		return nil, gone
	}
	f, err := openToRead("/proc/self/fd/" + strconv.FormatUint(uint64(found.Fd()), 10))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("/proc is not mounted: %w", err)
	}
	return f, err
}
