package native

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// Names of the members.
const (
	ReleaseName   = "release.json.zst"
	SignatureName = ReleaseName + ".minisig"
	SolidName     = "solid.zst"
	PatchesName   = "patches"
	// AloneName is followed by the content's SHA-256 and ".zst".
	AlonePrefix = "files/"
)

// MaxSignature is the most a signature may have, in bytes.
const MaxSignature = 4096

// Match reports whether a file that begins with these bytes, 512 of them, is a
// native bundle.
func Match(begin []byte) bool {
	return bytes.HasPrefix(begin, append([]byte(ReleaseName), 0)) && len(begin) >= 262 && string(begin[257:262]) == "ustar"
}

// Header is the ustar header of a member (POSIX.1-1988): the same from every
// packer. The name has fewer than 100 bytes.
func Header(name string, size int64) []byte {
	h := make([]byte, block)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00") // mode, owner, group
	if size <= 0o77777777777 {
		copy(h[124:], fmt.Sprintf("%011o\x00", size))
	} else { // GNU's base-256
		h[124] = 0x80
		binary.BigEndian.PutUint64(h[128:], uint64(size)) //nolint:gosec // not negative
	}
	copy(h[136:], "00000000000\x00        0") // time, the sum's place, type
	copy(h[257:], "ustar\x0000")
	copy(h[329:], "0000000\x000000000\x00") // device numbers
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// memberSize reads the size in a header that should be name's.
func memberSize(header []byte, name string, most int64) (int64, error) {
	var size int64
	if header[124] == 0x80 { // base-256
		size = int64(binary.BigEndian.Uint64(header[128:136])) //nolint:gosec // what turns negative is refused
	} else {
		var err error
		size, err = strconv.ParseInt(strings.TrimRight(string(header[124:136]), "\x00 "), 8, 64)
		if err != nil {
			return 0, bundle.Invalid("there is no tar header for %s", name)
		}
	}
	if size <= 0 || size > most {
		return 0, bundle.Invalid("%s has %d bytes, not between 1 and %d", name, size, most)
	}
	if !bytes.Equal(header, Header(name, size)) {
		return 0, bundle.Invalid("the tar header for %s is not as it has to be", name)
	}
	return size, nil
}

// Head is the head of a bundle. The signature is over Packed; Release was read
// from these very bytes.
type Head struct {
	Packed    []byte
	Signature []byte
	// Size is where the payload begins.
	Size int64
	// Digest names the release: "sha256:" and the SHA-256 of Packed.
	Digest string
	// Raw is the release file as it was signed.
	Raw     []byte
	Release *Release
	Layout  Layout
}

// HeadSize returns how many bytes of a bundle's beginning are needed next, given those
// in begin. done says that they are the whole head. Errors are refusals.
func HeadSize(begin []byte) (need int64, done bool, err error) {
	if len(begin) < block {
		return block, false, nil
	}
	packed, err := memberSize(begin[:block], ReleaseName, MaxPacked)
	if err != nil {
		return 0, false, err
	}
	// A signature without long comments fits in one block. Such a head is complete
	// after one more request.
	second := block + padded(packed)
	need = second + 2*block
	if int64(len(begin)) < need {
		return need, false, nil
	}
	size, err := memberSize(begin[second:second+block], SignatureName, MaxSignature)
	if err != nil {
		return 0, false, err
	}
	need = second + block + padded(size)
	return need, int64(len(begin)) >= need, nil
}

// Split takes the head's two members out of the bytes HeadSize asked for, without
// reading their meaning: the signature is checked first.
func Split(begin []byte) (packed, signature []byte, err error) {
	need, done, err := HeadSize(begin)
	if err != nil {
		return nil, nil, err
	}
	if !done || int64(len(begin)) != need {
		return nil, nil, bundle.Invalid("the head has %d bytes, not %d", len(begin), need)
	}
	size, err := memberSize(begin[:block], ReleaseName, MaxPacked)
	if err != nil {
		return nil, nil, err
	}
	second := block + padded(size)
	signed, err := memberSize(begin[second:second+block], SignatureName, MaxSignature)
	if err != nil {
		return nil, nil, err
	}
	if !zeros(begin[block+size:second]) || !zeros(begin[second+block+signed:]) {
		return nil, nil, bundle.Invalid("there is something between the members of the head")
	}
	return begin[block : block+size], begin[second+block : second+block+signed], nil
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// ReadHead reads a head. It asks verify about the signature before it reads the
// meaning of any byte of the release file.
func ReadHead(begin []byte, limits bundle.Limits, verify func(packed, signature []byte) error) (*Head, error) {
	packed, signature, err := Split(begin)
	if err != nil {
		return nil, err
	}
	if err := verify(packed, signature); err != nil {
		return nil, err
	}
	raw, err := unpackRelease(packed)
	if err != nil {
		return nil, err
	}
	release, err := ParseRelease(raw, limits)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed)
	h := &Head{
		Packed: packed, Signature: signature, Size: int64(len(begin)), Raw: raw, Release: release,
		Digest: "sha256:" + hex.EncodeToString(sum[:]),
	}
	h.Layout = release.Layout(h.Size)
	return h, nil
}

const again = "copy or download it again"

// Fits refuses a bundle that has another size than its list makes, in bytes.
func (h *Head) Fits(size int64) error {
	switch {
	case size < h.Layout.Total:
		return bundle.WithHint(again, bundle.Invalid("it has %d bytes, and the signed list makes %d: it was cut short", size, h.Layout.Total))
	case size > h.Layout.Total:
		return bundle.WithHint(again, bundle.Invalid("it has %d bytes, and the signed list makes %d: something was put behind it", size, h.Layout.Total))
	}
	return nil
}

// unpackRelease decompresses the release file, up to the size it may have.
func unpackRelease(packed []byte) ([]byte, error) {
	dec, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
	if err != nil {
		return nil, bundle.Invalid("the release file cannot be decompressed: %w", err)
	}
	defer dec.Close()
	raw, err := io.ReadAll(io.LimitReader(dec, MaxRelease+1))
	if err != nil {
		return nil, bundle.Invalid("the release file cannot be decompressed: %w", err)
	}
	if len(raw) > MaxRelease {
		return nil, bundle.Invalid("the release file has more than the %d bytes allowed", MaxRelease)
	}
	return raw, nil
}

// ReadBegin reads the head's bytes from a whole bundle.
func ReadBegin(r io.ReaderAt) ([]byte, error) {
	var begin []byte
	for {
		need, done, err := HeadSize(begin)
		if err != nil {
			return nil, err
		}
		if done {
			return begin[:need], nil
		}
		more := make([]byte, need)
		if _, err := r.ReadAt(more, 0); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, bundle.WithHint(again, bundle.Invalid("it ends within its head: it was cut short"))
			}
			return nil, steps.FromOS(err, "cannot read its head")
		}
		begin = more
	}
}

// Unsigned is in the place of the signature in a bundle that is not signed yet.
const Unsigned = "unsigned\n"
