package trust

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Policy decides whose releases a device installs: by the keys in its key
// directory and by what its configuration says about signatures. The directory
// is read anew for each answer, so a key that an operator has just added or
// removed counts at once. A Policy is safe for concurrent use.
//
// Refusals are *steps.Error of class Refused with the code BadSignature.
type Policy struct {
	// Root is where the device's files are; Directory is the key directory, a
	// device path.
	Root      disk.Root
	Directory string
	// RequireSignature refuses unsigned releases even on a device without keys.
	RequireSignature bool
	// AllowUnsigned installs unsigned releases even on a device with keys. If a
	// release has a signature, it must still be good.
	AllowUnsigned bool
	// Now is the time at which keys are judged.
	Now func() time.Time
}

// Keys reads the key directory; see Load.
func (p Policy) Keys() (*Keys, error) {
	dir, err := p.Root.Resolve(p.Directory)
	if err != nil {
		return nil, fmt.Errorf("the key directory %s: %w", p.Directory, err)
	}
	return Load(dir, p.Now())
}

// Signature judges the signature of a native bundle's head and names the key
// that made it. by is empty when the device installs the bundle without
// checking a signature. Unusable keys refuse every bundle.
func (p Policy) Signature(head, signature []byte) (by string, err error) {
	keys, err := p.Keys()
	if err != nil {
		return "", unusable(err)
	}
	unsigned := bytes.Equal(signature, []byte(native.Unsigned))
	switch {
	case p.AllowUnsigned && (unsigned || keys.Open()), keys.Open() && !p.RequireSignature:
		return "", nil
	case keys.Open():
		return "", refuse(errors.New("the configuration demands a signature ([trust] require_signature), and this device has no key to check one with"),
			"put the publisher's public key into "+p.Directory)
	}
	if unsigned {
		signature = nil
	}
	key, err := keys.Verify(head, signature)
	if err != nil {
		return "", refuse(fmt.Errorf("its signature: %w", err), "this device takes only what is signed by a key in "+p.Directory)
	}
	return key.ID + " (" + key.Name + ")", nil
}

// Unsignable judges a bundle of a format that cannot be signed; what names the
// format in the refusal.
func (p Policy) Unsignable(what string) error {
	keys, err := p.Keys()
	switch {
	case err != nil:
		return unusable(err)
	case p.RequireSignature:
		return refuse(fmt.Errorf("the configuration demands a signature ([trust] require_signature), and a %s cannot be signed", what), "publish a native bundle")
	case !keys.Open() && !p.AllowUnsigned:
		return refuse(fmt.Errorf("this device has keys in %s, and a %s cannot be signed", p.Directory, what),
			"publish a native bundle, or set allow_unsigned under [trust] in the configuration")
	}
	return nil
}

// Guard returns the format with the policy in front of it: a bundle that cannot
// be signed is opened only where Unsignable agrees.
func (p Policy) Guard(f bundle.Format) bundle.Format { return guarded{f, p} }

type guarded struct {
	bundle.Format
	policy Policy
}

// Open implements bundle.Format. Nothing is read from a refused file.
func (g guarded) Open(f *os.File, size int64, limits bundle.Limits) (bundle.Bundle, error) {
	if err := g.policy.Unsignable(g.Name()); err != nil {
		return nil, err
	}
	return g.Format.Open(f, size, limits)
}

// Standing describes whom a device trusts at one moment.
type Standing struct {
	// Text is one line of text that goes after "this device trusts".
	Text string
	// Anybody: releases of any maker are installed.
	Anybody bool
	// NoKeys: there is no key at all.
	NoKeys bool
	// Err says why the keys cannot be used; then nobody is trusted.
	Err error
}

// Standing reads the keys and tells whom the device trusts now.
func (p Policy) Standing() Standing {
	keys, err := p.Keys()
	switch {
	case err != nil:
		return Standing{Text: fmt.Sprintf("nobody: the keys cannot be used: %v", err), Err: err}
	case keys.Open() && p.RequireSignature:
		return Standing{Text: "nobody: a signature is demanded, and there is no key in " + p.Directory, NoKeys: true}
	case keys.Open():
		return Standing{Text: "ANYBODY: there is no key in " + p.Directory + ", so any release is installed, whoever made it", Anybody: true, NoKeys: true}
	case p.AllowUnsigned:
		return Standing{Text: fmt.Sprintf("ANYBODY: %d keys, but allow_unsigned is set", len(keys.List())), Anybody: true}
	}
	return Standing{Text: fmt.Sprintf("%d keys in %s; what they have not signed is refused", len(keys.List()), p.Directory)}
}

func refuse(err error, hint string) error {
	return &steps.Error{Class: steps.Refused, Code: steps.BadSignature, Err: err, Hint: hint}
}

func unusable(err error) error {
	return refuse(fmt.Errorf("the keys of this device cannot be used: %w", err), "repair them; \"tope-updater doctor\" tells what is wrong")
}
