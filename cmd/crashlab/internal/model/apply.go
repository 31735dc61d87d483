package model

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Apply carries out a recorded call. A call that the kernel refused is refused
// here for the same reason. An error means that the recording cannot be trusted.
func (fs *FS) Apply(c *trace.Call) error {
	switch c.Op {
	case trace.Create, trace.Mkdir, trace.Symlink, trace.TmpFile, trace.Mknod:
		fs.create(c)
	case trace.Rename:
		fs.rename(c)
	case trace.Link:
		fs.link(c)
	case trace.Unlink, trace.Rmdir:
		fs.remove(c)
	case trace.Syncfs:
		fs.syncAll()
	case trace.Chown, trace.Utimes, trace.SyncRange:
		// Neither owner nor times are modelled, and sync_file_range promises nothing.
	case trace.Mmap:
		return fmt.Errorf("%s is mapped writable and shared: its changes cannot be seen", c.Path)
	case trace.Unseen:
		return fmt.Errorf("a write could not be seen: %s", c.From)
	case trace.Splice:
		return fmt.Errorf("bytes were copied into %s inside the kernel: they cannot be seen", c.Path)
	default:
		return fs.onInode(c)
	}
	return nil
}

// at is the inode that a call acts on: by number when that is known, else by name.
func (fs *FS) at(c *trace.Call) *inode {
	if n := fs.byIno[c.Ino]; c.Ino != 0 && n != nil {
		return n
	}
	n := fs.get(c.Path)
	if n != nil && c.Ino != 0 {
		fs.byIno[c.Ino] = n
	}
	return n
}

func (fs *FS) create(c *trace.Call) {
	if c.Op == trace.TmpFile {
		return // known by its number, once it is written
	}
	d, name := fs.parent(c.Path)
	if d == nil || d.ents[name] != nil {
		return
	}
	var n *inode
	switch c.Op {
	case trace.Mkdir:
		n = newDir(c.Mode)
	case trace.Symlink:
		n = &inode{kind: link, target: c.From, mode: 0o777, durMode: 0o777}
	case trace.Mknod:
		return
	default:
		n = newFile(c.Mode)
	}
	d.change(move{name: n})
}

func (fs *FS) rename(c *trace.Call) {
	src := fs.get(c.From)
	sd, sname := fs.parent(c.From)
	d, name := fs.parent(c.Path)
	if src == nil || sd == nil || d == nil {
		return
	}
	old := d.ents[name]
	switch {
	case old == src:
		return
	case c.Flags&unix.RENAME_EXCHANGE != 0:
		if old == nil {
			return
		}
	case old != nil && c.Flags&unix.RENAME_NOREPLACE != 0,
		old != nil && (old.kind == dir) != (src.kind == dir),
		old != nil && old.kind == dir && len(old.ents) > 0:
		return
	default:
		old = nil
	}
	if sd == d {
		d.change(move{sname: old, name: src})
		return
	}
	// Two directories have two queues: each half lands by itself.
	sd.change(move{sname: old})
	d.change(move{name: src})
}

func (fs *FS) link(c *trace.Call) {
	src := fs.byIno[c.Ino]
	if c.Ino == 0 || src == nil {
		src = fs.get(c.From)
	}
	d, name := fs.parent(c.Path)
	if src == nil || d == nil || d.ents[name] != nil || src.kind == dir {
		return
	}
	d.change(move{name: src})
}

func (fs *FS) remove(c *trace.Call) {
	d, name := fs.parent(c.Path)
	if d == nil || d.ents[name] == nil {
		return
	}
	n := d.ents[name]
	if (n.kind == dir) != (c.Op == trace.Rmdir) || len(n.ents) > 0 {
		return
	}
	d.change(move{name: nil})
}

// onInode carries out calls that act on an inode that is there already.
func (fs *FS) onInode(c *trace.Call) error {
	n := fs.at(c)
	if n == nil {
		if c.Ino != 0 && !c.Syncs() {
			// A file made with O_TMPFILE: it has a number, but no name yet.
			n = newFile(0o600)
			fs.byIno[c.Ino] = n
		} else {
			return nil // the kernel will not find it either
		}
	}
	switch {
	case c.Syncs():
		n.sync(c.Op == trace.Fsync)
	case c.Op == trace.Chmod:
		n.mode = c.Mode
	case n.kind != file:
	case c.Op == trace.Setxattr:
		if c.Attr == capability {
			n.caps = string(c.Data)
		}
	case c.Op == trace.Trunc:
		n.alter(change{size: 0})
	case c.Op == trace.Truncate:
		n.alter(change{size: c.Size})
	case c.Op == trace.Fallocate:
		fs.fallocate(n, c)
	case c.Writes():
		if len(c.Data) != c.Len {
			return fmt.Errorf("only %d of %d bytes written to %s were recorded", len(c.Data), c.Len, c.Path)
		}
		off := c.Off
		if c.Flags&unix.O_APPEND != 0 {
			off = n.now.size
		}
		n.alter(change{off: off, data: c.Data, size: -1})
		if c.Flags&unix.O_DSYNC != 0 {
			n.sync(c.Flags&unix.O_SYNC == unix.O_SYNC)
		}
	}
	return nil
}

func (fs *FS) fallocate(n *inode, c *trace.Call) {
	end := c.Off + c.Size
	if c.Flags&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 {
		n.alter(change{off: c.Off, zeroTo: end, size: -1})
	}
	if c.Flags&unix.FALLOC_FL_KEEP_SIZE == 0 && end > n.now.size {
		n.alter(change{size: end})
	}
}

// syncAll makes everything durable.
func (fs *FS) syncAll() {
	seen := map[*inode]bool{}
	var walk func(n *inode)
	walk = func(n *inode) {
		if seen[n] {
			return
		}
		seen[n] = true
		n.sync(true)
		for _, c := range n.ents {
			walk(c)
		}
	}
	walk(fs.root)
	for _, n := range fs.byIno {
		walk(n)
	}
}
