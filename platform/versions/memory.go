package versions

import (
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// memory knows which manifests were found sound, as long as they stay the same
// files. It saves reading them again, and never changes an answer.
type memory struct {
	mu    sync.Mutex
	sound map[string]stamp
}

// stamp tells one state of one manifest from any other: a write or a rename
// changes its ctime, which nobody can set.
type stamp struct {
	dev, inode   uint64
	size         int64
	ctime, mtime int64
}

// stampOf is the stamp of the manifest in a version's directory; ok is false
// when there is none that could be sound.
func stampOf(dir string) (s stamp, ok bool) {
	var d, m unix.Stat_t
	if unix.Lstat(dir, &d) != nil || d.Mode&unix.S_IFMT != unix.S_IFDIR ||
		unix.Lstat(filepath.Join(dir, ManifestName), &m) != nil || m.Mode&unix.S_IFMT != unix.S_IFREG {
		return stamp{}, false
	}
	return stamp{
		dev: m.Dev, inode: m.Ino, size: m.Size,
		ctime: m.Ctim.Nano(), mtime: m.Mtim.Nano(),
	}, true
}

func (m *memory) keep(version string, s stamp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sound == nil {
		m.sound = make(map[string]stamp)
	}
	m.sound[version] = s
}

func (m *memory) has(version string, s stamp) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.sound[version]
	return ok && known == s
}
