package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aead.dev/minisign"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Bundle is a bundle whose members are made: files below the scratch directory.
type Bundle struct {
	Release native.Release
	// Packed is the release file as it will be signed.
	Packed []byte
	// Signature is native.Unsigned until Sign.
	Signature []byte
	// Unpatched are the changed contents without a patch, for each base.
	Unpatched []Unpatched

	solid          string
	alone, patches []string
}

// encode writes the release file and reads it back as a device does.
func (b *Bundle) encode(ctx context.Context, c Compressor, limits bundle.Limits) error {
	raw, err := b.Release.Encode()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := c.stream(ctx, bytes.NewReader(raw), &packed, int64(len(raw))); err != nil {
		return fmt.Errorf("compress the release file: %w", err)
	}
	b.Packed, b.Signature = packed.Bytes(), []byte(native.Unsigned)
	_, err = native.ReadHead(b.head(), limits, func([]byte, []byte) error { return nil })
	return err
}

func (b *Bundle) head() []byte { return Head(b.Packed, b.Signature) }

// Head puts the two members of a head together.
func Head(packed, signature []byte) []byte {
	var out bytes.Buffer
	for _, m := range []struct {
		name string
		data []byte
	}{{native.ReleaseName, packed}, {native.SignatureName, signature}} {
		out.Write(native.Header(m.name, int64(len(m.data))))
		out.Write(m.data)
		out.Write(make([]byte, pad(int64(len(m.data)))))
	}
	return out.Bytes()
}

func pad(n int64) int64 { return -n & 511 }

// Sign signs the head. The signature has a trusted comment, which is signed too.
func (b *Bundle) Sign(key minisign.PrivateKey) {
	b.Signature = Sign(key, b.Packed, fmt.Sprintf("%s %s epoch %d created %s",
		b.Release.Product, b.Release.Version, b.Release.Epoch, b.Release.Created.Format("2006-01-02T15:04:05Z07:00")))
}

// Sign makes the signature of a packed release file. The same key, bytes and
// comment give the same signature.
func Sign(key minisign.PrivateKey, packed []byte, comment string) []byte {
	return minisign.SignWithComments(key, packed, comment, fmt.Sprintf("signature by %016X", key.ID()))
}

// WriteTo writes the bundle.
func (b *Bundle) WriteTo(out io.Writer) (int64, error) {
	w := &counting{w: out}
	if _, err := w.Write(b.head()); err != nil {
		return w.n, err
	}
	contents := b.Release.Contents()
	member := func(name string, length int64, files ...string) error {
		if _, err := w.Write(native.Header(name, length)); err != nil {
			return err
		}
		before := w.n
		for _, f := range files {
			if err := appendFile(w, f); err != nil {
				return err
			}
		}
		if w.n-before != length {
			return fmt.Errorf("%s: %d bytes were written, not %d", name, w.n-before, length)
		}
		_, err := w.Write(make([]byte, pad(length)))
		return err
	}
	if s := b.Release.Payload.Solid; s != nil {
		if err := member(native.SolidName, s.Length, b.solid); err != nil {
			return w.n, err
		}
	}
	for i, m := range b.Release.Payload.Alone {
		if err := member(native.AlonePrefix+contents[i].SHA256+".zst", m.Length, b.alone[i]); err != nil {
			return w.n, err
		}
	}
	if len(b.patches) > 0 {
		var sum int64
		for _, p := range b.Release.Payload.Patches {
			sum += p.Length
		}
		if err := member(native.PatchesName, sum, b.patches...); err != nil {
			return w.n, err
		}
	}
	_, err := w.Write(make([]byte, 1024))
	return w.n, err
}

// WriteFile writes the bundle to a file that appears whole or not at all.
func (b *Bundle) WriteFile(path string) error { return writeFile(path, b.WriteTo) }

func writeFile(path string, write func(io.Writer) (int64, error)) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func appendFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func memberOf(path string) (native.Member, error) {
	f, err := os.Open(path)
	if err != nil {
		return native.Member{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return native.Member{Length: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// shortMemberOf is memberOf with half the digest: every content has such a member, and
// the digests make up a third of the head.
func shortMemberOf(path string) (native.Member, error) {
	m, err := memberOf(path)
	if err == nil {
		m.SHA256 = m.SHA256[:bundle.ShortDigest]
	}
	return m, err
}

// Resign writes the bundle at from to another file, or to the same one, with another
// signature. The payload moves when the signature's size changes. The signed bytes do
// not depend on the payload's place.
func Resign(from, to string, key minisign.PrivateKey, limits bundle.Limits) error {
	o, err := Open(from, limits, func([]byte, []byte) error { return nil })
	if err != nil {
		return err
	}
	defer o.Close()
	b := &Bundle{Release: *o.Release, Packed: o.Packed}
	b.Sign(key)
	err = writeFile(to, func(w io.Writer) (int64, error) {
		if _, err := w.Write(b.head()); err != nil {
			return 0, err
		}
		return io.Copy(w, io.NewSectionReader(o.f, o.Size, o.size-o.Size))
	})
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", to, err)
	}
	return nil
}
