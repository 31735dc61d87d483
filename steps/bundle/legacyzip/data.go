package legacyzip

import (
	"bufio"
	"compress/flate"
	"errors"
	"hash"
	"hash/crc32"
	"io"

	"github.com/tope/updater/steps/bundle"
)

// unpacker holds the buffers for reading one entry, some 100 KiB. It is reused for the
// next entry.
type unpacker struct {
	in      *bufio.Reader
	inflate io.ReadCloser // a flate.Resetter
}

// content reads one entry's data. It requires exactly the declared number of bytes,
// with the declared checksum, from exactly the declared packed bytes.
type content struct {
	z    *archive
	h    header
	u    *unpacker
	src  io.Reader
	left int64
	crc  hash.Hash32
	err  error
}

// open returns a reader of h's data, which lies at offset data.
func (z *archive) open(h header, data int64) *content {
	section := io.NewSectionReader(z.f, data, h.packed)
	c := &content{z: z, h: h, u: z.takeUnpacker(section), left: h.size, crc: crc32.NewIEEE()}
	c.src = c.u.in
	if h.method == deflate {
		if c.u.inflate == nil {
			c.u.inflate = flate.NewReader(c.u.in)
		} else {
			// Reset of this package's own reader never fails.
			_ = c.u.inflate.(flate.Resetter).Reset(c.u.in, nil)
		}
		c.src = c.u.inflate
	}
	return c
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 {
		c.err = c.atEnd()
		return 0, c.err
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.crc.Write(p[:n])
	c.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && c.left > 0:
		c.err = bundle.Invalid("%q ends %d bytes early", c.h.path, c.left)
	case err != nil && !errors.Is(err, io.EOF):
		c.err = c.broken(err)
	}
	return n, c.err
}

// atEnd is called when all declared bytes have been read.
func (c *content) atEnd() error {
	if c.h.method == deflate {
		var one [1]byte
		n, err := io.ReadFull(c.src, one[:])
		if n > 0 {
			return bundle.Invalid("%q has more than the %d bytes it declares", c.h.path, c.h.size)
		}
		if !errors.Is(err, io.EOF) {
			return c.broken(err)
		}
	}
	if _, err := c.u.in.ReadByte(); err == nil {
		return bundle.Invalid("%q has data after its end", c.h.path)
	} else if !errors.Is(err, io.EOF) {
		return readError(err)
	}
	if sum := c.crc.Sum32(); sum != c.h.crc {
		return bundle.Invalid("%q: its checksum is %08x, declared is %08x", c.h.path, sum, c.h.crc)
	}
	return io.EOF
}

func (c *content) broken(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bundle.Invalid("%q: its compressed data is damaged", c.h.path)
	}
	return readError(err)
}

// Close gives the unpacker back.
func (c *content) Close() error {
	if c.u != nil {
		c.z.giveUnpacker(c.u)
		c.u = nil
	}
	if c.err == nil {
		c.err = errors.New("the entry is closed")
	}
	return nil
}

func (z *archive) takeUnpacker(r io.Reader) *unpacker {
	select {
	case u := <-z.idle:
		u.in.Reset(r)
		return u
	default:
		return &unpacker{in: bufio.NewReaderSize(r, 64<<10)}
	}
}

func (z *archive) giveUnpacker(u *unpacker) {
	u.in.Reset(nil)
	select {
	case z.idle <- u:
	default:
	}
}
