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
	// Committed names a signed release that this device has committed, for messages;
	// empty when there is none, or root has let go of it. While there is one, a device
	// without keys takes no release, whatever the two fields above say: keys that are
	// gone must not make it trust more than before. nil says that there never is one.
	Committed func() string
	// Now is the time at which keys are judged.
	Now func() time.Time
}

// bereft is the error of a device that has committed a signed release and has no key any
// more; nil for any other.
func (p Policy) bereft(keys *Keys) error {
	if !keys.Open() {
		return nil
	}
	if was := p.committed(); was != "" {
		return refuse(fmt.Errorf("this device has committed the %s, and has no key in %s any more", was, p.Directory),
			"put the publisher's key back; as root, \"tope-updater trust forget\" opens the device to anybody")
	}
	return nil
}

func (p Policy) committed() string {
	if p.Committed == nil {
		return ""
	}
	return p.Committed()
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
	if err := p.bereft(keys); err != nil {
		return "", err
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
	if err != nil {
		return unusable(err)
	}
	if err := p.bereft(keys); err != nil {
		return err
	}
	switch {
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
	// Bereft: there is no key any more, after a signed release was committed; nobody is
	// trusted.
	Bereft bool
	// Err says why the keys cannot be used; then nobody is trusted.
	Err error
}

// Standing reads the keys and tells whom the device trusts now.
func (p Policy) Standing() Standing {
	keys, err := p.Keys()
	switch {
	case err != nil:
		return Standing{Text: fmt.Sprintf("nobody: the keys cannot be used: %v", err), Err: err}
	case p.bereft(keys) != nil:
		return Standing{
			Text:   fmt.Sprintf("nobody: there is no key in %s, and this device has committed the %s", p.Directory, p.committed()),
			NoKeys: true, Bereft: true,
		}
	case keys.Open() && p.RequireSignature:
		return Standing{Text: "nobody: a signature is demanded, and there is no key in " + p.Directory, NoKeys: true}
	case keys.Open():
		return Standing{Text: "ANYBODY: there is no key in " + p.Directory + ", so any release is installed, whoever made it", Anybody: true, NoKeys: true}
	case p.AllowUnsigned:
		return Standing{Text: fmt.Sprintf("ANYBODY: %s, but allow_unsigned is set", keyCount(keys.forReleases())), Anybody: true}
	}
	text := fmt.Sprintf("%s in %s; what they have not signed is refused", keyCount(keys.forReleases()), p.Directory)
	if was := p.committed(); was != "" {
		text += ", also without them: it has committed the " + was
	}
	return Standing{Text: text}
}

func keyCount(n int) string {
	if n == 1 {
		return "1 key"
	}
	return fmt.Sprintf("%d keys", n)
}

func refuse(err error, hint string) error {
	return &steps.Error{Class: steps.Refused, Code: steps.BadSignature, Err: err, Hint: hint}
}

func unusable(err error) error {
	return refuse(fmt.Errorf("the keys of this device cannot be used: %w", err), "repair them; \"tope-updater doctor\" tells what is wrong")
}
