package channel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/versions"
)

// Device is what a channel's reader knows of the device.
type Device struct {
	// ID puts it in its place of each rollout. It is the same for all its life.
	ID string
	// Product and Hardware are the configuration's; an empty Product accepts any, as it
	// does for bundles. Without Hardware the device takes what is for every hardware.
	Product, Hardware string
	// Version is what it runs.
	Version string
	// Early and Late put it before or behind all others.
	Early, Late bool
	// Rotates: it has root keys, and so can take a keys.json. KeysSerial is the serial of
	// the one in force.
	Rotates    bool
	KeysSerial int64
	// Accepted is the digest of a release of this channel whose update has begun, and has
	// not passed the point of no return; empty for none.
	Accepted string
	// Quarantined has why releases failed on this device before, by digest.
	Quarantined map[string]string
}

// Reason says in one word why a device gets a release, or none.
type Reason string

// The reasons.
const (
	// Offered: there is a release to install.
	Offered Reason = "offered"
	// UpToDate: the channel has nothing above what the device runs.
	UpToDate Reason = "up-to-date"
	// Waiting: the device's turn in the rollout has not come.
	Waiting Reason = "waiting"
	// Stopped: the release is halted or withdrawn.
	Stopped Reason = "stopped"
	// TooOld: no release may be installed over the version that the device runs.
	TooOld Reason = "too-old"
	// OtherHardware: what is new is for other hardware.
	OtherHardware Reason = "other-hardware"
	// InQuarantine: it failed on this device before.
	InQuarantine Reason = "quarantined"
	// OutOfDate: the channel has expired.
	OutOfDate Reason = "expired"
	// NeedsKeys: the channel wants a newer keys.json than the device has.
	NeedsKeys Reason = "needs-keys"
	// OtherProduct: it is the channel of another product.
	OtherProduct Reason = "other-product"
)

// Choice is what a channel has for a device.
type Choice struct {
	// Release is what to install; nil for nothing.
	Release *Release
	Reason  Reason
	// Text is the reason in one line for people.
	Text string
	// Due is when the device's turn comes if the rollout stays as it is; zero when it has
	// come, or will not.
	Due time.Time
	// Cancel: the release that the device has accepted is not to be installed any more.
	Cancel bool
	// Withdrawn says, of a release that the device runs, why it was withdrawn.
	Withdrawn string
	// Alarm: nothing was signed for twice the time that a signing is valid. Somebody keeps
	// newer files from the device, its publisher has stopped signing, or its clock is
	// wrong.
	Alarm bool
}

// Choose finds the release that a device should install at a time, which is Memory.Time.
func (f *File) Choose(d Device, now time.Time) Choice {
	c := f.choose(d, now, !now.Before(f.Expires))
	if c.Reason == OutOfDate {
		c.Text = fmt.Sprintf("the channel expired at %s, and it is %s: nothing new is installed until a newer one is signed; check the clock and the server",
			f.Expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	c.Alarm = !now.Before(f.Issued.Add(2 * f.Expires.Sub(f.Issued)))
	return c
}

// Choose is File.Choose for a channel that is not signed yet.
func (s *Source) Choose(d Device, now time.Time) Choice { return s.choose(d, now, false) }

func (c *Content) choose(d Device, now time.Time, expired bool) Choice {
	if d.Product != "" && d.Product != c.Product {
		return Choice{Reason: OtherProduct, Text: fmt.Sprintf("the channel is for product %q, this device is %q", c.Product, d.Product), Cancel: d.Accepted != ""}
	}
	kept := c.accepted(d)
	choice := Choice{Cancel: d.Accepted != "" && kept == nil, Withdrawn: c.withdrawn(d)}
	switch {
	case d.Rotates && d.KeysSerial < c.KeysSerial:
		choice.Reason = NeedsKeys
		choice.Text = fmt.Sprintf("the channel needs keys.json with serial %d, and this device has %d: it is to be brought by \"tope-updater keys update\"",
			c.KeysSerial, d.KeysSerial)
		return choice
	case expired && kept == nil:
		choice.Reason = OutOfDate
		return choice
	case expired: // what was accepted goes on
		choice.Release, choice.Reason, choice.Text = kept, Offered, offer(kept)
		return choice
	}
	best := verdict{reason: UpToDate, text: fmt.Sprintf("version %s is the newest for this device", d.Version)}
	for i := range c.Releases {
		r := &c.Releases[i]
		if versions.Compare(r.Version, d.Version) > 0 {
			if v := r.judge(d, now); v.above(best) {
				best = v
			}
		}
	}
	choice.Reason, choice.Text, choice.Due = best.reason, best.text, best.due
	if best.reason == Offered {
		choice.Release = best.release
	}
	return choice
}

// accepted is the release that the device has accepted, as long as it is open.
func (c *Content) accepted(d Device) *Release {
	for i := range c.Releases {
		if r := &c.Releases[i]; d.Accepted != "" && r.Digest == d.Accepted && r.State == Open && r.fits(d) {
			return r
		}
	}
	return nil
}

// withdrawn says why the release that the device runs was withdrawn.
func (c *Content) withdrawn(d Device) string {
	for i := range c.Releases {
		if r := &c.Releases[i]; r.State == Withdrawn && r.Version == d.Version && r.fits(d) {
			return r.Why
		}
	}
	return ""
}

func (r *Release) fits(d Device) bool {
	return len(r.Hardware) == 0 || slices.Contains(r.Hardware, d.Hardware)
}

// verdict is what one release is to a device.
type verdict struct {
	release *Release
	reason  Reason
	text    string
	due     time.Time
}

// above: an offer comes before reasons, a release for this device before one for others,
// and among equals the higher version counts. The first stays among equal versions.
func (v verdict) above(best verdict) bool {
	rank := func(v verdict) int {
		switch v.reason {
		case Offered:
			return 3
		case UpToDate:
			return 0
		case OtherHardware:
			return 1
		}
		return 2
	}
	if a, b := rank(v), rank(best); a != b {
		return a > b
	}
	return best.release != nil && versions.Compare(v.release.Version, best.release.Version) > 0
}

// judge judges a release that is above what the device runs.
func (r *Release) judge(d Device, now time.Time) verdict {
	say := func(reason Reason, format string, args ...any) verdict {
		return verdict{release: r, reason: reason, text: fmt.Sprintf(format, args...)}
	}
	place := r.PlaceOf(d)
	failed, quarantined := d.Quarantined[r.Digest]
	switch {
	case !r.fits(d) && d.Hardware == "":
		return say(OtherHardware, "version %s is for hardware %s, and this device's configuration names none", r.Version, strings.Join(r.Hardware, ", "))
	case !r.fits(d):
		return say(OtherHardware, "version %s is for hardware %s, this device is %q", r.Version, strings.Join(r.Hardware, ", "), d.Hardware)
	case r.State != Open:
		return say(Stopped, "version %s is %s: %s", r.Version, r.State, r.Why)
	case quarantined:
		return say(InQuarantine, "version %s is in this device's quarantine: %s", r.Version, failed)
	case r.From != "" && versions.Compare(d.Version, r.From) < 0:
		return say(TooOld, "version %s may be installed from %s on, this device has %s, and the channel has no step in between", r.Version, r.From, d.Version)
	case d.Accepted == r.Digest || r.Rollout.In(place, now):
		return say(Offered, "%s", offer(r))
	}
	due, ok := r.Rollout.Due(place)
	v := say(Waiting, "version %s is not for this device as its rollout stands: it is at place %s, and the rollout goes to %s %%", r.Version, place, r.Rollout.Most())
	if ok {
		v = say(Waiting, "version %s is due at %s: this device is at place %s of the rollout, which has reached %s",
			r.Version, due.Format(time.RFC3339), place, share(r.Rollout.Share(now)))
		v.due = due
	}
	return v
}

func offer(r *Release) string { return fmt.Sprintf("version %s is to be installed", r.Version) }

// PlaceOf is the device's place in the rollout of the release.
func (r *Release) PlaceOf(d Device) Place {
	switch {
	case d.Early:
		return First
	case d.Late:
		return Last
	}
	return PlaceOf(r.Rollout.Seed, d.ID)
}

// Most is the share that the rollout reaches in the end.
func (r *Rollout) Most() Percent { return max(r.Percent, r.To) }
