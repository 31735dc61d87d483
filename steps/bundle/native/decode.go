package native

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/tope/updater/steps/bundle"
)

// MaxWindow is the largest window a member may need, in bytes: the window of level 19.
// A decoder keeps a window in memory.
const MaxWindow = 8 << 20

// patchSlack is the factor by which the window of a patch may be larger than its base
// and result together: zstd rounds the window up to a power of two.
const patchSlack = 2

// Decoder reads members of codec Zstd, one after the other. It is for one
// goroutine, and takes some MaxWindow of memory.
type Decoder struct {
	dec *zstd.Decoder
	in  source
}

// Reader returns the content of a member; r has the member's compressed bytes. The
// reader is valid until the next call.
func (d *Decoder) Reader(r io.Reader) (io.Reader, error) {
	d.in = source{r: r}
	if d.dec != nil {
		if err := d.dec.Reset(&d.in); err != nil {
			return nil, d.judge(err)
		}
		return reading{d}, nil
	}
	var err error
	d.dec, err = zstd.NewReader(&d.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
	if err != nil {
		return nil, d.judge(err)
	}
	return reading{d}, nil
}

// Close frees the decoder's memory.
func (d *Decoder) Close() {
	if d.dec != nil {
		d.dec.Close()
		d.dec = nil
	}
}

// source remembers that the compressed bytes could not be read.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// judge tells a broken member from a broken disk: an error that does not come from
// the source is the member's fault.
func (d *Decoder) judge(err error) error {
	if d.in.err != nil {
		return fmt.Errorf("decompress: %w", d.in.err)
	}
	// Not wrapped: a reader must not take io.ErrUnexpectedEOF for the end.
	return bundle.Invalid("it cannot be decompressed: %v", err)
}

type reading struct{ d *Decoder }

func (r reading) Read(p []byte) (int, error) {
	n, err := r.d.dec.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, r.d.judge(err)
}

// ApplyPatch makes a content of size bytes from base and patch. It takes memory for
// the result in addition to its arguments.
func ApplyPatch(base, patch []byte, size int64) ([]byte, error) {
	most := uint64(patchSlack * (int64(len(base)) + size + 1<<20)) //nolint:gosec // both are bounded by the caller's cap
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(most), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(max(most, 1<<10)), zstd.WithDecoderDictRaw(0, base))
	if err != nil {
		return nil, bundle.Invalid("the patch cannot be applied: %w", err)
	}
	defer dec.Close()
	// The frame says its size; a result that would not fit is refused beforehand.
	var h zstd.Header
	if err := h.Decode(patch); err != nil {
		return nil, bundle.Invalid("the patch cannot be applied: %w", err)
	}
	if !h.HasFCS || h.FrameContentSize != uint64(size) { //nolint:gosec // not negative
		return nil, bundle.Invalid("the patch makes %d bytes, not %d", h.FrameContentSize, size)
	}
	out, err := dec.DecodeAll(patch, make([]byte, 0, size))
	if err != nil {
		return nil, bundle.Invalid("the patch cannot be applied: %w", err)
	}
	if int64(len(out)) != size {
		return nil, bundle.Invalid("the patch makes %d bytes, not %d", len(out), size)
	}
	return out, nil
}
