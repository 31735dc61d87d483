package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"os"
)

const pageSize = 4096

// page is one page of a file. It is never changed once it is in a content.
type page struct {
	data [pageSize]byte
	sum  [sha256.Size]byte
}

func newPage(b []byte) *page {
	p := &page{}
	copy(p.data[:], b)
	p.sum = sha256.Sum256(p.data[:])
	return p
}

// content is the bytes of a file: a size and the pages that are not all zeros.
// Values are immutable and share their pages, so that thousands of states of a
// preallocated database cost little.
type content struct {
	size  int64
	pages map[int64]*page
}

func (c content) clone() content {
	pages := make(map[int64]*page, len(c.pages)+1)
	for i, p := range c.pages {
		pages[i] = p
	}
	return content{c.size, pages}
}

// write is c with b at off.
func (c content) write(off int64, b []byte) content {
	n := c.clone()
	for len(b) > 0 {
		i, at := off/pageSize, off%pageSize
		k := min(int64(len(b)), pageSize-at)
		var buf [pageSize]byte
		if old := n.pages[i]; old != nil {
			buf = old.data
		}
		copy(buf[at:], b[:k])
		if buf == [pageSize]byte{} {
			delete(n.pages, i)
		} else {
			n.pages[i] = newPage(buf[:])
		}
		b, off = b[k:], off+k
	}
	n.size = max(n.size, off)
	return n
}

// resize is c cut or grown with zeros to size.
func (c content) resize(size int64) content {
	n := c.clone()
	if size < c.size {
		for i := range n.pages {
			if i*pageSize >= size {
				delete(n.pages, i)
			}
		}
		if i, at := size/pageSize, size%pageSize; at > 0 && n.pages[i] != nil {
			n.pages[i] = newPage(n.pages[i].data[:at])
		}
	}
	n.size = size
	return n
}

// zero is c with zeros from off to end, its size kept.
func (c content) zero(off, end int64) content {
	end = min(end, c.size)
	if off >= end {
		return c
	}
	n := c.write(off, make([]byte, end-off))
	return n
}

func (c content) hash(w hash.Hash) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(c.size))
	w.Write(n[:])
	// The hash must not depend on the order of pages, and a sort would cost: the
	// sums, with their index hashed in, are XORed.
	var all [sha256.Size]byte
	for i, p := range c.pages {
		binary.LittleEndian.PutUint64(n[:], uint64(i))
		s := sha256.Sum256(append(n[:], p.sum[:]...))
		for j := range all {
			all[j] ^= s[j]
		}
	}
	w.Write(all[:])
}

func (c content) equal(d content) bool {
	if c.size != d.size || len(c.pages) != len(d.pages) {
		return false
	}
	for i, p := range c.pages {
		if q := d.pages[i]; q == nil || p != q && p.sum != q.sum {
			return false
		}
	}
	return true
}

// readContent loads a file.
func readContent(path string) (content, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return content{}, err
	}
	c := content{size: int64(len(b)), pages: map[int64]*page{}}
	zeros := make([]byte, pageSize)
	for off := 0; off < len(b); off += pageSize {
		chunk := b[off:min(off+pageSize, len(b))]
		if !bytes.Equal(chunk, zeros[:len(chunk)]) {
			c.pages[int64(off/pageSize)] = newPage(chunk)
		}
	}
	return c, nil
}

// save writes c to a new file, with holes where it is zero.
func (c content) save(path string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for i, p := range c.pages {
		n := min(pageSize, c.size-i*pageSize)
		if n <= 0 {
			continue
		}
		if _, err := f.WriteAt(p.data[:n], i*pageSize); err != nil {
			return err
		}
	}
	if err := f.Truncate(c.size); err != nil {
		return err
	}
	return f.Chmod(mode)
}
