package ownprogram

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

const algorithm = "sha256:"

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read an updater: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("cannot read an updater: %w", err)
	}
	return sum(h), nil
}

func sum(h hash.Hash) string { return algorithm + hex.EncodeToString(h.Sum(nil)) }

// proved reads a file, and fails at its end unless the digest is the promised
// one: a bad block must not get into the program that recovers the device.
type proved struct {
	r    io.Reader
	path string
	want string
	h    hash.Hash
}

func (p *proved) Read(b []byte) (int, error) {
	if p.h == nil {
		p.h = sha256.New()
	}
	n, err := p.r.Read(b)
	p.h.Write(b[:n])
	if errors.Is(err, io.EOF) && sum(p.h) != p.want {
		return n, fmt.Errorf("%s is damaged: its digest is %s, and was %s when it was installed", p.path, sum(p.h), p.want)
	}
	return n, err
}
