package trust

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"aead.dev/minisign"
)

// Why Verify refuses; wrapped with the details.
var (
	// ErrUnsigned: there is no signature.
	ErrUnsigned = errors.New("not signed")
	// ErrUnknownKey: the signature may be good, but this device does not know the key.
	ErrUnknownKey = errors.New("signed by an unknown key")
	// ErrBadSignature: the text is not a signature, or it signs another message.
	ErrBadSignature = errors.New("bad signature")
	// ErrRevoked: a good signature by a key that keys.json revokes.
	ErrRevoked = errors.New("signed by a revoked key")
	// ErrNotValidNow: a good signature by a key whose time is past or to come.
	ErrNotValidNow = errors.New("signed by a key that is not valid now")
	// ErrOtherUse: a good signature by a key that may not sign this kind of thing.
	ErrOtherUse = errors.New("signed by a key of another use")
)

// Verify checks that signature, the content of a .minisig file, is a minisign
// signature of message, prehashed or legacy, by a key that is valid, and
// returns that key. Its errors are ErrUnsigned, ErrUnknownKey, ErrBadSignature,
// ErrOtherUse, ErrRevoked and ErrNotValidNow. Validity was judged when the keys were loaded.
//
// A set without keys verifies nothing (ErrUnknownKey), though it may be Open.
func (k *Keys) Verify(message, signature []byte) (Key, error) {
	return k.verify(message, signature, Releases)
}

// VerifyChannel is Verify for a channel, by the keys that may sign channels: no key for
// releases is among them.
func (k *Keys) VerifyChannel(message, signature []byte) (Key, error) {
	return k.verify(message, signature, Channel)
}

func (k *Keys) verify(message, signature []byte, use Use) (Key, error) {
	if len(bytes.TrimSpace(signature)) == 0 {
		return Key{}, fmt.Errorf("%w: sign it with \"tope-bundle sign\"", ErrUnsigned)
	}
	if k == nil || len(k.keys) == 0 {
		return Key{}, fmt.Errorf("%w: this device has no keys; put the signer's .pub file into its key directory", ErrUnknownKey)
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return Key{}, fmt.Errorf("%w: %w; fetch the .minisig file again", ErrBadSignature, err)
	}
	// A key id is only a hint: all keys with this id are tried.
	known := false
	for _, e := range k.keys {
		if e.pub.ID() != s.KeyID {
			continue
		}
		known = true
		if minisign.Verify(e.pub.PublicKey, message, signature) {
			return e.key.judged(use)
		}
	}
	if known {
		return Key{}, fmt.Errorf("%w: key %s did not sign this; fetch it and its signature again", ErrBadSignature, keyID(s.KeyID))
	}
	return Key{}, fmt.Errorf("%w: %s; sign it with one of \"tope-updater keys list\"", ErrUnknownKey, keyID(s.KeyID))
}

// judged returns the key of a good signature, or an error when its use or state forbids it.
func (k Key) judged(use Use) (Key, error) {
	if k.Use != use {
		return Key{}, fmt.Errorf("%w: %s (%s); releases and channels are signed by keys of their own", ErrOtherUse, k.ID, k.Name)
	}
	switch k.State {
	case Valid:
		return k, nil
	case Revoked:
		return Key{}, fmt.Errorf("%w: %s (%s); sign it with another key", ErrRevoked, k.ID, k.Name)
	case NotYetValid:
		return Key{}, fmt.Errorf("%w: %s (%s) is valid from %s; check the clock", ErrNotValidNow, k.ID, k.Name, k.NotBefore.Format(time.RFC3339))
	}
	return Key{}, fmt.Errorf("%w: %s (%s) was valid until %s; check the clock, or sign it with another key", ErrNotValidNow, k.ID, k.Name, k.NotAfter.Format(time.RFC3339))
}
