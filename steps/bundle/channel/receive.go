package channel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tope/updater/steps/bundle/trust"
)

// maxSignatures is enough for a change of keys, in which the old and the new one sign.
const maxSignatures = 4

// Why Receive does not take a channel, besides the errors of package trust; wrapped with
// the details.
var (
	// ErrUnreadable: it is not a channel, or breaks a rule of the format.
	ErrUnreadable = errors.New("not a sound channel")
	// ErrAnother: a good channel, and not the one that was asked for.
	ErrAnother = errors.New("another channel")
	// ErrRollback: an older file than one that this device has seen.
	ErrRollback = errors.New("an older channel than this device has seen")
	// ErrForked: another file with a serial that this device has seen. Its publisher
	// signed twice by mistake, or somebody gives devices different files.
	ErrForked = errors.New("two channels with one serial")
)

// Verifier checks a signature, the content of a .minisig file, and returns the key that
// made it. trust.Keys.VerifyChannel is one.
type Verifier func(body, signature []byte) (trust.Key, error)

// Signed is a channel whose signature was good.
type Signed struct {
	*File
	// Digest is the digest of the body. It names this file to people who compare devices, and does not depend on how many keys signed it.
	Digest string
	// Body is the file as it was signed.
	Body []byte
	// Signers are the keys that made good signatures, one at least.
	Signers []trust.Key
}

// Verify checks the signatures of a published channel, and only then reads the meaning of
// its body. One good signature is enough: others may be by keys that this device does not
// know yet, or has seen revoked.
func Verify(file []byte, verify Verifier) (*Signed, error) {
	if bytes.HasPrefix(bytes.TrimSpace(file), []byte("<")) {
		return nil, fmt.Errorf("%w: it is a web page: something in between answers in its place, or the URL is wrong", ErrUnreadable)
	}
	body, signatures, err := Unseal(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	var signers []trust.Key
	var problem error
	for _, s := range signatures {
		key, err := verify(body, s)
		switch {
		case err == nil:
			signers = append(signers, key)
		case problem == nil:
			problem = err
		default:
			problem = fmt.Errorf("%w; %w", problem, err)
		}
	}
	if len(signers) == 0 {
		return nil, fmt.Errorf("the channel's signature: %w", problem)
	}
	f, err := Parse(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return &Signed{File: f, Digest: Digest(body), Body: body, Signers: signers}, nil
}

// Digest names a body: "sha256:" and its SHA-256.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Receive is what a device does with a channel that it has fetched: it checks that one of
// its channel keys signed it, that it is the channel with this name, and that it is not
// older than what the device remembers. The memory that it returns has to be durable
// before the channel is acted upon. When Receive returns an error, the memory is still to
// be kept: it may have let go of what a revoked key had said.
//
// Time plays no part here: an expired channel is still news. See File.Choose.
func Receive(file []byte, keys *trust.Keys, name string, m Memory) (*Signed, Memory, error) {
	m = m.Without(keys.List())
	s, err := Verify(file, keys.VerifyChannel)
	switch {
	case err != nil:
		return nil, m, err
	case s.Channel != name:
		return nil, m, fmt.Errorf("%w: it is %q, and %q was asked for; check the address", ErrAnother, s.Channel, name)
	}
	if err := m.Judge(s); err != nil {
		return nil, m, err
	}
	return s, m.Advance(s), nil
}
