package supply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/unitfiles"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
)

// Judge decides by the head whether this device takes a release. It knows the device's
// product and hardware, and judges signatures by the keys that the device trusts.
type Judge struct {
	// Verify judges the signature of a packed release file and returns the key
	// that made it; "" when this device requires no signature. It is called anew
	// for each bundle. Its error refuses the bundle.
	Verify func(packed, signature []byte) (by string, err error)
	// Product and Hardware are this device's; empty accepts any.
	Product, Hardware string
	// Updater is this program's version; one that is not a semantic version (a
	// build from a working tree) is taken for the newest.
	Updater string
	// FileCapabilities takes releases whose programs have file capabilities, when they
	// are signed by a key that this device knows.
	FileCapabilities bool
	// Unsigned is what releases may bring for which no key vouches.
	Unsigned bundle.Unsigned
	// Units judges the unit files that a release carries (*unitfiles.Store); nil where
	// systemd runs no services.
	Units  func(files []unitfiles.File) error
	Clock  clock.Clock
	Limits bundle.Limits
}

// Release makes all the checks on a release that its head allows, for a task. The
// publisher's program calls it for a device that it describes, as Planner and Format
// do on the device itself.
func (j *Judge) Release(t *steps.Task, r *native.Release) error {
	if err := j.fits(r); err != nil {
		return err
	}
	return j.current(t, r)
}

// head reads a head and makes the checks that do not depend on the task.
func (j *Judge) head(begin []byte) (h *native.Head, by string, err error) {
	h, err = native.ReadHead(begin, j.limits(), func(packed, signature []byte) (err error) {
		by, err = j.Verify(packed, signature)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if err := j.fits(h.Release); err != nil {
		return nil, "", err
	}
	if err := j.permits(h.Release, by); err != nil {
		return nil, "", err
	}
	return h, by, j.vouched(h.Release, by)
}

// vouched refuses a release that brings what only a key may vouch for.
func (j *Judge) vouched(r *native.Release, by string) error {
	var carried bundle.Carried
	for _, f := range r.Files {
		if f.Type() != bundle.Dir {
			carried.Add(f.Path, j.Units != nil)
		}
	}
	return j.Unsigned.Check(bundle.Release{Version: r.Version, Brought: r.Brought, SignedBy: by}, carried)
}

// permits refuses a release with file capabilities unless the configuration allows them
// and somebody answers for them: a program with capabilities may do what only root may
// do, whoever starts it.
func (j *Judge) permits(r *native.Release, by string) error {
	n, first := r.Capable()
	if n == 0 {
		return nil
	}
	switch {
	case !j.FileCapabilities:
		return &steps.Error{
			Class: steps.Refused, Code: steps.InvalidManifest,
			Err:  fmt.Errorf("the release gives file capabilities to %d files, such as %s", n, first),
			Hint: "set file_capabilities under [trust] in the configuration if its publisher is to be trusted with that",
		}
	case by == "":
		return &steps.Error{
			Class: steps.Refused, Code: steps.BadSignature,
			Err:  fmt.Errorf("the release gives file capabilities to %d files, such as %s, and no key of this device vouches for it", n, first),
			Hint: "such releases have to be signed: put the publisher's public key on the device",
		}
	}
	return nil
}

func (j *Judge) limits() bundle.Limits {
	if j.Limits == (bundle.Limits{}) {
		return bundle.DefaultLimits()
	}
	return j.Limits
}

func (j *Judge) fits(r *native.Release) error {
	wrong := func(hint, format string, args ...any) error {
		return &steps.Error{Class: steps.Refused, Code: steps.WrongDevice, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	switch {
	case j.Product != "" && r.Product != j.Product:
		return wrong("check which bundle was meant for this device", "the release is for product %q, this device is %q", r.Product, j.Product)
	case j.Hardware != "" && len(r.Hardware) > 0 && !slices.Contains(r.Hardware, j.Hardware):
		return wrong("check which bundle was meant for this device", "the release is for hardware %s, this device is %q",
			strings.Join(r.Hardware, ", "), j.Hardware)
	case r.MinUpdater != "" && versions.ValidVersion(strings.TrimPrefix(j.Updater, "v")) == nil &&
		versions.Compare(strings.TrimPrefix(j.Updater, "v"), r.MinUpdater) < 0:
		return wrong("update the updater first", "the release needs updater %s or newer, this is %s", r.MinUpdater, j.Updater)
	case j.Units != nil:
		return bundle.CheckUnits(r.Version, r.UnitFiles(), j.Units)
	}
	return nil
}

// current makes the checks on a release that depend on the task.
func (j *Judge) current(t *steps.Task, r *native.Release) error {
	release := bundle.Release{Version: r.Version, Epoch: r.Epoch, Expires: r.Expires}
	if err := bundle.CheckDeclared(t, release); err != nil {
		return err
	}
	return bundle.CheckAge(t, release, j.Clock.Now())
}
