package trace

import (
	"fmt"
	"path"
	"strings"
)

// Op names a call without its variants: renameat2 is "rename".
type Op string

// The operations that are watched.
const (
	Create    Op = "create" // an open that makes the file
	Trunc     Op = "trunc"  // an open that empties the file
	TmpFile   Op = "tmpfile"
	Write     Op = "write"
	Pwrite    Op = "pwrite"
	Fsync     Op = "fsync"
	Fdatasync Op = "fdatasync"
	Syncfs    Op = "syncfs"
	SyncRange Op = "sync_range"
	Truncate  Op = "truncate"
	Fallocate Op = "fallocate"
	Rename    Op = "rename"
	Link      Op = "link"
	Symlink   Op = "symlink"
	Unlink    Op = "unlink"
	Rmdir     Op = "rmdir"
	Mkdir     Op = "mkdir"
	Chmod     Op = "chmod"
	Chown     Op = "chown"
	Utimes    Op = "utimes"
	Setxattr  Op = "setxattr" // or its removal
	Mknod     Op = "mknod"
	Splice    Op = "splice" // copy_file_range, sendfile, splice, FICLONE
	Mmap      Op = "mmap"
	Unseen    Op = "unseen" // a write of which the laboratory could not tell the file; From says why
)

// Call is one call that is about to change the watched tree.
type Call struct {
	Op Op
	// Path is the path it changes, relative to the watched tree; "." is the tree.
	Path string
	// From is the source of a rename or link, and the target of a symlink as written.
	From string
	// Ino is the inode behind the descriptor of calls that take one, else 0.
	Ino uint64
	// Off, Data and Size: the place and the bytes of a write, and the file's length
	// before it; the length that a truncate leaves; the range of a fallocate.
	Off  int64
	Data []byte
	Size int64
	// Len is the length of a write; Data is only filled in when the machine records.
	Len int
	// Attr is the extended attribute that a Setxattr sets to Data, or removes when Data
	// is nil.
	Attr string
	// Mode is the permission bits of a new entry, or the new ones of a chmod.
	Mode uint32
	// Flags are the flags of the call (rename, fallocate), or of the open file (writes).
	Flags uint64
	// Said is set on writes to standard output, a pipe or a socket outside the
	// tree: Data is the program's message. Op is Write, Path is empty.
	Said bool
}

// Writes reports whether c writes bytes, so that it can be torn.
func (c *Call) Writes() bool { return c.Op == Write || c.Op == Pwrite }

// Syncs reports whether c makes something durable.
func (c *Call) Syncs() bool { return c.Op == Fsync || c.Op == Fdatasync || c.Op == Syncfs }

func (c *Call) String() string {
	switch {
	case c.Said:
		return fmt.Sprintf("say %q", c.Data)
	case c.From != "":
		return fmt.Sprintf("%s %s <- %s", c.Op, c.Path, c.From)
	case c.Writes():
		return fmt.Sprintf("%s %s %d+%d", c.Op, c.Path, c.Off, c.Len)
	}
	return string(c.Op) + " " + c.Path
}

// Namer names the calls of one run. Class makes a path stable from run to run
// (ids, temporary names); nil keeps paths as they are.
type Namer struct {
	Class func(path string) string
	seen  map[string]int
}

// Name is c's name: its operation, its path's class, and the count of calls of
// that operation and class, this one included.
func (n *Namer) Name(c *Call) string {
	p := c.Path
	if n.Class != nil {
		p = n.Class(p)
	}
	if n.seen == nil {
		n.seen = map[string]int{}
	}
	key := string(c.Op) + " " + p
	n.seen[key]++
	return fmt.Sprintf("%s #%d", key, n.seen[key])
}

// below returns p relative to dir, and whether it is in it at all.
func below(dir, p string) (string, bool) {
	p = path.Clean(p)
	if p == dir {
		return ".", true
	}
	if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
		return rest, true
	}
	return "", false
}
