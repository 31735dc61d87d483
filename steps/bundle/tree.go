package bundle

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tree finds entries that cannot lie in one tree: the same path twice, paths that
// differ only in case, and an entry below a file or a link. Instead of names it keeps
// hashes under a random seed, sixteen bytes for each path, so that 50,000 entries cost
// a few megabytes while a bundle is opened.
type Tree struct {
	seed maphash.Seed
	// seen maps the hash of the case-folded path to the hash of the path itself,
	// whose two lowest bits are replaced by its Type.
	seen map[uint64]uint64
	dirs int
}

// NewTree returns an empty tree.
func NewTree() *Tree {
	return &Tree{seed: maphash.MakeSeed(), seen: map[uint64]uint64{}}
}

// Add puts a path that passed CheckPath into the tree, with the directories
// above it. A directory may come twice.
func (t *Tree) Add(path string, typ Type) error {
	added, err := t.add(path, typ)
	if err != nil || !added {
		return err
	}
	// The loop goes upwards: the parents of a directory in the tree are there too.
	for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path[:i], '/') {
		added, err := t.add(path[:i], Dir)
		if err != nil || !added {
			return err
		}
	}
	return nil
}

func (t *Tree) add(path string, typ Type) (bool, error) {
	folded := maphash.String(t.seed, fold(path))
	value := maphash.String(t.seed, path)&^3 | uint64(typ)
	was, ok := t.seen[folded]
	switch {
	case !ok:
		t.seen[folded] = value
		if typ == Dir {
			t.dirs++
		}
		return true, nil
	case was == value && typ == Dir:
		return false, nil
	case was&^3 != value&^3:
		return false, Invalid("path %q and another differ only in case", path)
	case typ == Dir || was&3 == uint64(Dir):
		return false, Invalid("path %q is a directory and something else at once", path)
	default:
		return false, Invalid("path %q is there twice", path)
	}
}

// Dirs counts the directories, implied ones included.
func (t *Tree) Dirs() int { return t.dirs }

// fold maps paths that differ only in case to the same string: each letter becomes
// the smallest of those that Unicode folds together.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'a' <= c && c <= 'z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

func foldRune(r rune) rune {
	if 'a' <= r && r <= 'z' {
		r -= 'a' - 'A' // and the loop goes on: 'K' folds with the Kelvin sign, which is larger
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
