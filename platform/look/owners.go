package look

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/tope/updater/platform/disk"
)

// Owner is who a path belongs to, and who may write to it.
type Owner struct {
	UID, GID uint32
	Mode     fs.FileMode
}

// OwnerOf looks at a host path; symlinks are followed.
func OwnerOf(host string) (Owner, error) {
	info, err := os.Stat(host)
	if err != nil {
		return Owner{}, err
	}
	return ownerOf(info), nil
}

func ownerOf(info fs.FileInfo) Owner {
	o := Owner{Mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		o.UID, o.GID = st.Uid, st.Gid
	}
	return o
}

// Stranger reports whether the owner is neither root nor this process's user.
func (o Owner) Stranger() bool { return o.UID != 0 && int(o.UID) != os.Geteuid() }

// Everybody reports whether every user may replace what is there. The sticky bit
// of a directory prevents that.
func (o Owner) Everybody() bool { return o.Mode&0o002 != 0 && o.Mode&fs.ModeSticky == 0 }

// Group reports whether a group other than root's may write.
func (o Owner) Group() bool { return o.Mode&0o020 != 0 && o.GID != 0 }

// Some counts the paths of one kind in a tree, and names the first of them.
type Some struct {
	Count int
	First string
}

func (s *Some) add(path string) {
	if s.Count++; s.First == "" {
		s.First = path
	}
}

// Tree is what TreeAt finds among the files and directories of a tree.
type Tree struct {
	// Strangers belong to neither root nor this process's user. An owner can
	// restore the write bits that publishing cleared.
	Strangers Some
	// Writable have a write bit, which nothing in a version should.
	Writable Some
}

// TreeAt looks through a tree without following symlinks. Paths are relative to it.
func TreeAt(dir string) (Tree, error) {
	var t Tree
	root, err := os.OpenRoot(dir)
	if err != nil {
		return t, err
	}
	defer func() { _ = root.Close() }() // it was only read
	err = disk.Walk(root, func(name string, info fs.FileInfo) error {
		if ownerOf(info).Stranger() {
			t.Strangers.add(name)
		}
		if info.Mode()&fs.ModeSymlink == 0 && info.Mode()&0o222 != 0 {
			t.Writable.add(name)
		}
		return nil
	}, nil)
	return t, err
}
