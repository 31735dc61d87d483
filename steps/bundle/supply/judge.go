package supply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/clock"
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
	Clock   clock.Clock
	Limits  bundle.Limits
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
	return h, by, j.fits(h.Release)
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
	}
	return nil
}

// current makes the checks on a release that depend on the task.
func (j *Judge) current(t *steps.Task, r *native.Release) error {
	if t.Source.Version != "" && t.Source.Version != r.Version {
		return bundle.InvalidManifest("the bundle holds version %s, declared was %s", r.Version, t.Source.Version)
	}
	return bundle.CheckAge(t, bundle.Release{Version: r.Version, Epoch: r.Epoch, Expires: r.Expires}, j.Clock.Now())
}
