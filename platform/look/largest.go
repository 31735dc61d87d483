package look

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tope/updater/platform/disk"
)

// largestPatience is how long Largest looks; a disk of a million files takes longer.
const largestPatience = 3 * time.Second

// Largest is the largest file on the file system that holds a host path, without the
// tree at skip, and the bytes it takes. It is found in a few seconds or not at all: on
// a very full file system the answer is of what could be looked at.
func Largest(host, skip string) (path string, size int64) {
	m, err := disk.MountOf(host)
	if err != nil {
		return "", 0
	}
	var top syscall.Stat_t
	if err := syscall.Stat(m.Point, &top); err != nil {
		return "", 0
	}
	deadline := time.Now().Add(largestPatience)
	_ = filepath.WalkDir(m.Point, func(p string, e fs.DirEntry, err error) error {
		if time.Now().After(deadline) {
			return filepath.SkipAll
		}
		if err != nil {
			return nil //nolint:nilerr // what cannot be looked at is passed over
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // it has gone
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok:
		case e.IsDir() && (p == skip || st.Dev != top.Dev):
			return filepath.SkipDir
		case info.Mode().IsRegular() && st.Blocks*512 > size:
			path, size = p, st.Blocks*512
		}
		return nil
	})
	return path, size
}
