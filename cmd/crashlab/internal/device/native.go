//go:build linux && amd64

package device

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aead.dev/minisign"

	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/pack"
)

// native is the release as a native bundle, with patches against resident. It is
// the same each time, because a kept device must still recognize it.
func (r Release) native(scratch string) (_ []byte, err error) {
	dir, err := os.MkdirTemp(scratch, "pack-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tree, old := filepath.Join(dir, "tree"), filepath.Join(dir, "old")
	if err := errors.Join(r.lay(tree), resident().lay(old)); err != nil {
		return nil, err
	}
	ctx, limits := context.Background(), bundle.DefaultLimits()
	base, err := pack.OpenBase(ctx, old, dir, limits)
	if err != nil {
		return nil, err
	}
	scanned, err := pack.Scan(tree, limits)
	if err != nil {
		return nil, err
	}
	b, err := pack.Build(ctx, pack.Options{
		Tree: scanned,
		Release: native.Release{
			Product: "crashlab", Version: r.Version, Epoch: 1, Services: []string{"device-api", "web-server"},
			Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		},
		Bases: []*pack.Base{base}, Limits: limits, Scratch: dir,
		// The zstd program may be missing, or have another version.
		Compressor: pack.Compressor{},
	})
	if err != nil {
		return nil, err
	}
	key, err := publisher()
	if err != nil {
		return nil, err
	}
	b.Sign(key)
	var out bytes.Buffer
	_, err = b.WriteTo(&out)
	return out.Bytes(), err
}

// lay writes the release's files below dir.
func (r Release) lay(dir string) error {
	for p, data := range r.files() {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(p, "bin/") {
			mode = 0o755
		}
		at := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, mode); err != nil {
			return err
		}
	}
	if !r.Able {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, "bin", r.Tool))
	if err != nil {
		return err
	}
	return errors.Join(rights().Apply(f), f.Close())
}

// publisher is the key that signs the laboratory's bundles. It is not secret, and
// the same each time. minisign makes only random keys, so this one is put
// together from minisign's format of a key that is not encrypted.
func publisher() (key minisign.PrivateKey, err error) {
	const (
		size                   = 158
		id                     = 0x1ab
		idAt, keyAt            = 54, 62
		signatures, no, hashes = "Ed", "\x00\x00", "B2"
	)
	seed := [ed25519.SeedSize]byte{0: 1}
	raw := make([]byte, size)
	copy(raw, signatures+no+hashes)
	binary.LittleEndian.PutUint64(raw[idAt:], id)
	copy(raw[keyAt:], ed25519.NewKeyFromSeed(seed[:]))
	err = key.UnmarshalText([]byte("untrusted comment: the laboratory's\n" + base64.StdEncoding.EncodeToString(raw)))
	return key, err
}
