package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
)

// option is the option that s has chosen for n.
func (s State) option(n *inode) option {
	return s.v.opts[n][s.chosen[n]]
}

// Hash is the same for states that have the same tree.
func (s State) Hash() [32]byte { return s.sum(s.v.root) }

func (s State) sum(n *inode) [32]byte {
	if !s.v.open[n] {
		if h, ok := s.v.sums[n]; ok {
			return h
		}
	}
	o := s.option(n)
	h := sha256.New()
	var head [5]byte
	head[0] = byte(n.kind)
	binary.LittleEndian.PutUint32(head[1:], o.mode)
	h.Write(head[:])
	fmt.Fprintf(h, "%d %s", len(o.caps), o.caps)
	switch n.kind {
	case dir:
		ents := n.entries(o)
		for _, name := range sorted(ents) {
			c := s.sum(ents[name])
			fmt.Fprintf(h, "%d %s", len(name), name)
			h.Write(c[:])
		}
	case link:
		h.Write([]byte(n.target))
	default:
		o.content.hash(h)
	}
	var out [32]byte
	h.Sum(out[:0])
	if !s.v.open[n] {
		s.v.sums[n] = out
	}
	return out
}

func sorted(ents map[string]*inode) []string {
	names := make([]string, 0, len(ents))
	for name := range ents {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Build makes the state at the path at, which must not exist.
func (s State) Build(at string) error {
	return s.build(s.v.root, at, map[*inode]string{})
}

func (s State) build(n *inode, at string, made map[*inode]string) error {
	o := s.option(n)
	switch n.kind {
	case dir:
		if err := os.Mkdir(at, 0o700); err != nil {
			return err
		}
		for name, c := range n.entries(o) {
			if err := s.build(c, filepath.Join(at, name), made); err != nil {
				return err
			}
		}
		return os.Chmod(at, fileMode(o.mode))
	case link:
		return os.Symlink(n.target, at)
	}
	if first := made[n]; first != "" {
		return os.Link(first, at)
	}
	made[n] = at
	if err := o.content.save(at, fileMode(o.mode)); err != nil || o.caps == "" {
		return err
	}
	return unix.Lsetxattr(at, capability, []byte(o.caps), 0)
}

// Same returns an error with the first difference between the live view and the tree
// at the path at. Paths for which skip is true may differ; a nil skip skips none.
func (fs *FS) Same(at string, skip func(rel string) bool) error {
	real, err := Load(at)
	if err != nil {
		return err
	}
	if skip == nil {
		skip = func(string) bool { return false }
	}
	return same(".", fs.root, real.root, skip)
}

func same(p string, a, b *inode, skip func(string) bool) error {
	switch {
	case skip(p):
		return nil
	case a == nil:
		return fmt.Errorf("%s appeared without a recorded call", p)
	case b == nil:
		return fmt.Errorf("%s went without a recorded call", p)
	case a.kind != b.kind:
		return fmt.Errorf("%s became another kind of file without a recorded call", p)
	case a.target != b.target:
		return fmt.Errorf("%s leads to %q, the recording says %q", p, b.target, a.target)
	case a.kind != link && a.mode != b.mode:
		return fmt.Errorf("%s has mode %o, the recording says %o", p, b.mode, a.mode)
	case a.kind == file && a.caps != b.caps:
		return fmt.Errorf("%s has capabilities %x, the recording says %x", p, b.caps, a.caps)
	case a.kind == file && !a.now.equal(b.now):
		return fmt.Errorf("%s has other bytes (%d of them) than the recording says (%d)", p, b.now.size, a.now.size)
	}
	for name := range union(a.ents, b.ents) {
		if err := same(filepath.Join(p, name), a.ents[name], b.ents[name], skip); err != nil {
			return err
		}
	}
	return nil
}

func union(a, b map[string]*inode) map[string]bool {
	all := map[string]bool{}
	for name := range a {
		all[name] = true
	}
	for name := range b {
		all[name] = true
	}
	return all
}
