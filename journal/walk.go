package journal

import (
	"bytes"
	"errors"
	"fmt"
)

// tree is a bucket: a tree of pages, or a page inside its parent's value.
type tree struct {
	root   uint64
	inline page
	// sequence is the bucket's number, which bbolt leaves to its user.
	sequence uint64
}

// bucket finds a top-level bucket.
func (im *image) bucket(name string) (tree, error) {
	var found *tree
	err := im.each(tree{root: im.root}, []byte(name), func(e entry) error {
		if e.bucket && string(e.key) == name {
			found = e.tree()
		}
		return errStop
	}, nil)
	if err == nil && found == nil {
		err = &flaw{DamagedPages, fmt.Sprintf("there is no bucket %q", name)}
	}
	if err != nil {
		return tree{}, err
	}
	return *found, nil
}

// tree returns the bucket that is stored in e.
func (e entry) tree() *tree {
	return &tree{root: le.Uint64(e.value), sequence: le.Uint64(e.value[8:]), inline: page(e.value[bucketHead:])}
}

// get returns the value of key in t, or nil when it is not there.
func (im *image) get(t tree, key string) ([]byte, error) {
	var value []byte
	err := im.each(t, []byte(key), func(e entry) error {
		if string(e.key) == key && !e.bucket {
			value = e.value
		}
		return errStop
	}, nil)
	return value, err
}

// tail returns the last n entries of t, newest first.
func (im *image) tail(t tree, n int) ([]entry, error) {
	var out []entry
	w := walk{im: im, back: true, visit: func(e entry) error {
		if out = append(out, e); len(out) == n {
			return errStop
		}
		return nil
	}}
	return out, w.run(t)
}

// each calls visit with the entries of t in order, from the first key that is
// not below from. Damage is handed to bad, and the walk goes on behind it;
// without bad, damage ends the walk. visit ends the walk with errStop.
func (im *image) each(t tree, from []byte, visit func(entry) error, bad func(error) error) error {
	w := walk{im: im, from: from, visit: visit, bad: bad}
	return w.run(t)
}

// errStop ends a walk without an error.
var errStop = errors.New("stop")

// walk is one way through a tree.
type walk struct {
	im    *image
	from  []byte
	back  bool // from the last entry to the first
	visit func(entry) error
	bad   func(error) error
	pages uint64
}

func (w *walk) run(t tree) error {
	if w.bad == nil {
		w.bad = func(err error) error { return err }
	}
	var err error
	if t.root != 0 {
		err = w.down(t.root, 0, nil, nil)
	} else if err = t.inline.check(0); err == nil {
		err = w.entries(t.inline)
	} else {
		err = w.bad(err)
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// down walks the tree below page id, whose keys must lie in [low, high).
func (w *walk) down(id uint64, depth int, low, high []byte) error {
	// Damaged pages may form cycles, or lead to one page many times.
	if w.pages++; w.pages > w.im.pages || depth > maxDepth {
		return badPage(id, "is in a tree that never ends")
	}
	p, err := w.im.page(id, branchPage|leafPage)
	if err == nil && !p.within(low, high) {
		err = badPage(id, "has keys that belong elsewhere")
	}
	if err != nil {
		return w.bad(err)
	}
	if p.flags() == leafPage {
		return w.entries(p)
	}
	for i := range w.order(p.count()) {
		low, child, _ := p.branch(i)
		high := high
		if i+1 < p.count() {
			high, _, _ = p.branch(i + 1)
		}
		// All keys below this child are smaller than from.
		if high != nil && bytes.Compare(high, w.from) <= 0 {
			continue
		}
		if err := w.down(child, depth+1, low, high); err != nil {
			return err
		}
	}
	return nil
}

// entries visits a leaf page's entries.
func (w *walk) entries(p page) error {
	for i := range w.order(p.count()) {
		e, _ := p.leaf(i)
		if bytes.Compare(e.key, w.from) < 0 {
			continue
		}
		if err := w.visit(e); err != nil {
			return err
		}
	}
	return nil
}

// order yields the numbers 0 to n-1, backwards when the walk goes back.
func (w *walk) order(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if w.back {
				i = n - 1 - i
			}
			if !yield(i) {
				return
			}
		}
	}
}

// within says whether all keys of a page lie in [low, high); nil means no limit.
func (p page) within(low, high []byte) bool {
	if p.count() == 0 {
		return true
	}
	first, _ := p.element(0)
	last, _ := p.element(p.count() - 1)
	return bytes.Compare(first, low) >= 0 && (high == nil || bytes.Compare(last, high) < 0)
}
