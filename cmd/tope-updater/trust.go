package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/supply"
	"github.com/tope/updater/steps/bundle/trust"
)

// keys reads the key directory. It is read anew for each bundle: a key that an
// operator has just put there, or taken away, counts.
func (d *device) keys() (*trust.Keys, error) {
	dir, err := d.root.Resolve(d.cfg.Paths.Keys)
	if err != nil {
		return nil, fmt.Errorf("the key directory %s: %w", d.cfg.Paths.Keys, err)
	}
	return trust.Load(dir, d.clock.Now())
}

// untrusted refuses a bundle for who signed it.
func untrusted(err error, hint string) error {
	return &steps.Error{Class: steps.Refused, Code: steps.BadSignature, Err: err, Hint: hint}
}

// verifySignature judges the signature of a native bundle's head. Whatever is
// wrong with the keys refuses it.
func (d *device) verifySignature(packed, signature []byte) (by string, err error) {
	keys, err := d.keys()
	if err != nil {
		return "", untrusted(fmt.Errorf("the keys of this device cannot be used: %w", err), "mend them; \"tope-updater doctor\" tells more")
	}
	unsigned := bytes.Equal(signature, []byte(native.Unsigned))
	switch {
	case d.cfg.Trust.AllowUnsigned && (unsigned || keys.Open()), keys.Open() && !d.cfg.Trust.RequireSignature:
		return "", nil
	case keys.Open():
		return "", untrusted(errors.New("the configuration demands a signature ([trust] require_signature), and this device has no key to check one with"),
			"put the publisher's public key into "+d.cfg.Paths.Keys)
	}
	if unsigned {
		signature = nil
	}
	key, err := keys.Verify(packed, signature)
	if err != nil {
		return "", untrusted(fmt.Errorf("its signature: %w", err), "this device takes only what is signed by a key in "+d.cfg.Paths.Keys)
	}
	return key.ID + " (" + key.Name + ")", nil
}

// maySkipSignature refuses what nobody can sign, where only what is signed is taken.
func (d *device) maySkipSignature(what string) error {
	keys, err := d.keys()
	switch {
	case err != nil:
		return untrusted(fmt.Errorf("the keys of this device cannot be used: %w", err), "mend them; \"tope-updater doctor\" tells more")
	case d.cfg.Trust.RequireSignature:
		return untrusted(fmt.Errorf("the configuration demands a signature ([trust] require_signature), and a %s cannot be signed", what), "publish a native bundle")
	case !keys.Open() && !d.cfg.Trust.AllowUnsigned:
		return untrusted(fmt.Errorf("this device has keys in %s, and a %s cannot be signed", d.cfg.Paths.Keys, what),
			"publish a native bundle, or set allow_unsigned under [trust] in the configuration")
	}
	return nil
}

// trustLine says whom this device trusts, for status and the log; open when
// that is anybody.
func (d *device) trustLine() (line string, open bool) {
	keys, err := d.keys()
	switch {
	case err != nil:
		return fmt.Sprintf("nobody: the keys cannot be used: %v", err), false
	case keys.Open() && d.cfg.Trust.RequireSignature:
		return "nobody: a signature is demanded, and there is no key in " + d.cfg.Paths.Keys, false
	case keys.Open():
		return "ANYBODY: there is no key in " + d.cfg.Paths.Keys + ", so any release is installed, whoever made it", true
	case d.cfg.Trust.AllowUnsigned:
		return fmt.Sprintf("ANYBODY: %d keys, but allow_unsigned is set", len(keys.List())), true
	}
	return fmt.Sprintf("%d keys in %s; what they have not signed is refused", len(keys.List()), d.cfg.Paths.Keys), false
}

// trusts looks whom the device trusts, and returns a function that tells what
// was seen last: at first now, then whenever followTrust has looked again.
func (d *device) trusts() func() string {
	d.lookAtTrust()
	return func() string { return *d.trusted.Load() }
}

// lookAtTrust reports whether the answer is another than the last time.
func (d *device) lookAtTrust() (line string, open, changed bool) {
	line, open = d.trustLine()
	was := d.trusted.Swap(&line)
	return line, open, was != nil && *was != line
}

// trustPause is how often a daemon looks whether its keys have changed, for its
// status; each bundle is judged by the keys that are there then anyway.
const trustPause = 20 * time.Second

// followTrust keeps the status line true while keys come and go.
func (d *device) followTrust(ctx context.Context) {
	for clock.Sleep(ctx, d.clock, trustPause) == nil {
		if line, open, changed := d.lookAtTrust(); changed {
			d.sayTrust(line, open)
		}
	}
}

// sayTrust logs whom the device trusts, loudly when that is anybody.
func (d *device) sayTrust(line string, open bool) {
	if open {
		d.log.Warn("this device trusts "+line, "event", engine.EventUntrusting)
		return
	}
	d.log.Info("this device trusts " + line)
}

// onlyIfUnsignedIsFine is a format that nobody can sign.
type onlyIfUnsignedIsFine struct {
	bundle.Format
	d *device
}

func (u onlyIfUnsignedIsFine) Open(f *os.File, size int64, limits bundle.Limits) (bundle.Bundle, error) {
	if err := u.d.maySkipSignature(u.Name()); err != nil {
		return nil, err
	}
	return u.Format.Open(f, size, limits)
}

// nativeDevice is what native bundles are judged by.
func (d *device) nativeDevice() *supply.Device {
	return &supply.Device{
		Verify: d.verifySignature, Product: d.cfg.Device.Product, Hardware: d.cfg.Device.Hardware,
		Updater: thisBuild().Version, Clock: d.clock, Limits: bundle.DefaultLimits(),
	}
}

// formats are the bundle formats this device knows.
func (d *device) formats() []bundle.Format {
	return []bundle.Format{
		supply.Format{Device: d.nativeDevice(), Versions: d.store},
		onlyIfUnsignedIsFine{legacyzip.Format{}, d},
	}
}

// planner decides what is fetched of a native bundle.
func (d *device) planner(space bundle.Space) *supply.Planner {
	return &supply.Planner{Device: d.nativeDevice(), Versions: d.store, MaxPatch: d.cfg.Download.MaxPatch, Room: space.Room}
}

func (d *device) space(k keeper) bundle.Space {
	return bundle.Space{Versions: d.store.Dir(), Preflight: disk.Preflight, MakeRoom: k.makeRoom}
}

// trust tells whom this device takes releases from.
func (c *checkup) trust(context.Context) {
	keys, err := c.keys()
	if err != nil {
		c.fail("mend or remove what is wrong there; until then every bundle is refused", "the keys cannot be used: %v", err)
		return
	}
	line, open := c.trustLine()
	switch {
	case keys.Open() && c.cfg.Trust.RequireSignature:
		c.fail("put the publisher's public key into "+c.cfg.Paths.Keys, "trusts %s", line)
	case open && keys.Open():
		c.warn("put the publisher's public key into "+c.cfg.Paths.Keys, "trusts %s", line)
	case open:
		c.warn("remove allow_unsigned from [trust] when the migration is over", "trusts %s", line)
	default:
		c.pass("trusts %s", line)
	}
	if c.cfg.Device.Product == "" && !open {
		c.warn("set product under [device] in the configuration", "takes releases for any product")
	}
}
