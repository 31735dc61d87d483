package native

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

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

// Header is the tar header of a member: the same for everybody who packs.
func Header(name string, size int64) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	// The names are short and the sizes below 8 GiB but for the solid member,
	// for which base-256 sizes (GNU) are written.
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatUSTAR}
	if size > 0o77777777777 {
		h.Format = tar.FormatGNU
	}
	if err := w.WriteHeader(h); err != nil {
		panic(fmt.Sprintf("a tar header for %s of %d bytes: %v", name, size, err)) // both are checked before
	}
	return out.Bytes()
}

// memberSize reads the size in a header that should be name's.
func memberSize(header []byte, name string, most int64) (int64, error) {
	h, err := tar.NewReader(bytes.NewReader(header)).Next()
	if err != nil {
		return 0, bundle.Invalid("there is no tar header for %s: %w", name, err)
	}
	if h.Size <= 0 || h.Size > most {
		return 0, bundle.Invalid("%s has %d bytes, not between 1 and %d", name, h.Size, most)
	}
	if !bytes.Equal(header, Header(name, h.Size)) {
		return 0, bundle.Invalid("the tar header for %s is not as it has to be", name)
	}
	return h.Size, nil
}

// Head is the head of a bundle. Packed is what the signature is over; Release
// was read from these very bytes.
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

// HeadSize tells how many bytes from the beginning of a bundle have to be there
// to know more, given that begin is there; done when they are the whole head.
// Errors are refusals.
func HeadSize(begin []byte) (need int64, done bool, err error) {
	if len(begin) < block {
		return block, false, nil
	}
	packed, err := memberSize(begin[:block], ReleaseName, MaxPacked)
	if err != nil {
		return 0, false, err
	}
	// A signature without long comments fits in one block: so that one more
	// request gets it all.
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

// Split takes the head's two members out of the bytes HeadSize asked for,
// without reading them for meaning: first comes the signature's word.
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

// ReadHead reads a head. verify is asked about the signature before a byte of
// the release file is read for meaning.
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

// unpackRelease decompresses the release file, and no more than one may have.
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

// ReadBegin reads the head's bytes from a bundle that is at hand as a whole.
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
				return nil, bundle.Invalid("it ends within its head")
			}
			return nil, steps.FromOS(err, "cannot read its head")
		}
		begin = more
	}
}

// Unsigned stands in place of the signature in a bundle nobody has signed yet.
const Unsigned = "unsigned\n"
