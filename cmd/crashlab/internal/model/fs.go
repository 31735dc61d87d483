package model

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kind says whether an inode is a file, a directory or a symlink.
type kind uint8

const (
	file kind = iota
	dir
	link
)

// inode is a file, a directory or a symlink, as it is and as it is on the disk.
type inode struct {
	kind   kind
	target string // of a symlink: it lands with its name

	mode, durMode uint32
	caps, durCaps string // a file's capabilities, as the kernel has them

	// A file: its bytes, those that are durable, and the writes between them.
	now, dur content
	writes   []change

	// A directory: likewise its entries.
	ents, durEnts map[string]*inode
	moves         []move
}

// change is one write or truncate of a file that is not durable yet.
type change struct {
	off  int64
	data []byte
	// size, when not negative, is the size that the file is cut or grown to instead
	// of the write; zeroTo, when not zero, is the end of a range of zeros from off.
	size   int64
	zeroTo int64
}

func (w change) apply(c content) content {
	switch {
	case w.zeroTo > 0:
		return c.zero(w.off, w.zeroTo)
	case w.size >= 0:
		return c.resize(w.size)
	}
	return c.write(w.off, w.data)
}

// move is one change of a directory: each name leads to an inode afterwards; nil removes it.
type move map[string]*inode

// FS is a file system that knows which of its changes are durable.
type FS struct {
	root  *inode
	byIno map[uint64]*inode
}

// Load reads a tree; all of it is durable.
func Load(at string) (*FS, error) {
	fs := &FS{byIno: map[uint64]*inode{}}
	root, err := fs.load(at)
	fs.root = root
	return fs, err
}

func (fs *FS) load(at string) (*inode, error) {
	st, err := os.Lstat(at)
	if err != nil {
		return nil, err
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if n := fs.byIno[ino]; n != nil {
		return n, nil // a second name of the same file
	}
	n := &inode{mode: perm(st.Mode())}
	n.durMode = n.mode
	fs.byIno[ino] = n
	switch {
	case st.IsDir():
		n.kind, n.ents, n.durEnts = dir, map[string]*inode{}, map[string]*inode{}
		list, err := os.ReadDir(at)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Type()&(os.ModeSocket|os.ModeNamedPipe|os.ModeDevice) != 0 {
				continue
			}
			c, err := fs.load(filepath.Join(at, e.Name()))
			if err != nil {
				return nil, err
			}
			n.ents[e.Name()], n.durEnts[e.Name()] = c, c
		}
	case st.Mode()&os.ModeSymlink != 0:
		n.kind = link
		n.target, err = os.Readlink(at)
	default:
		n.now, err = readContent(at)
		n.dur = n.now
		n.caps = capsOf(at)
		n.durCaps = n.caps
	}
	return n, err
}

// capability is the one extended attribute that is modelled.
const capability = "security.capability"

// capsOf are the capabilities of a file; "" for none.
func capsOf(at string) string {
	var buf [64]byte
	n, err := unix.Lgetxattr(at, capability, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// perm is a mode as chmod takes it.
func perm(m os.FileMode) uint32 {
	p := uint32(m.Perm())
	for bit, v := range map[os.FileMode]uint32{os.ModeSetuid: 0o4000, os.ModeSetgid: 0o2000, os.ModeSticky: 0o1000} {
		if m&bit != 0 {
			p |= v
		}
	}
	return p
}

// fileMode is the reverse of perm.
func fileMode(p uint32) os.FileMode {
	m := os.FileMode(p & 0o777)
	for bit, v := range map[os.FileMode]uint32{os.ModeSetuid: 0o4000, os.ModeSetgid: 0o2000, os.ModeSticky: 0o1000} {
		if p&v != 0 {
			m |= bit
		}
	}
	return m
}

// get walks the live tree to p, following no symlinks: recordings name real paths.
func (fs *FS) get(p string) *inode {
	n := fs.root
	for _, name := range strings.Split(p, "/") {
		if name == "" || name == "." {
			continue
		}
		if n == nil || n.kind != dir {
			return nil
		}
		n = n.ents[name]
	}
	return n
}

// parent is the live directory of p, and p's name there.
func (fs *FS) parent(p string) (*inode, string) {
	d := fs.get(filepath.Dir(p))
	if d == nil || d.kind != dir {
		return nil, ""
	}
	return d, filepath.Base(p)
}

func newFile(mode uint32) *inode {
	return &inode{kind: file, mode: mode, durMode: mode}
}

func newDir(mode uint32) *inode {
	return &inode{kind: dir, mode: mode, durMode: mode, ents: map[string]*inode{}, durEnts: map[string]*inode{}}
}

// change applies m to the live entries of a directory and queues it.
func (n *inode) change(m move) {
	for name, to := range m {
		if to == nil {
			delete(n.ents, name)
		} else {
			n.ents[name] = to
		}
	}
	n.moves = append(n.moves, m)
}

// alter applies w to the live bytes of a file and queues it.
func (n *inode) alter(w change) {
	n.now = w.apply(n.now)
	n.caps = "" // the kernel takes them from a file that is written to
	n.writes = append(n.writes, w)
}

// sync makes n durable: for a directory its entries, not what they lead to.
func (n *inode) sync(bits bool) {
	if bits || n.kind == dir {
		n.durMode, n.durCaps = n.mode, n.caps
	}
	if n.kind == dir {
		n.durEnts = make(map[string]*inode, len(n.ents))
		for name, to := range n.ents {
			n.durEnts[name] = to
		}
		n.moves = nil
		return
	}
	n.dur, n.writes = n.now, nil
}
