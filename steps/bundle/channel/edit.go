package channel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/versions"
)

// This file has what publishers do to a Source. Each change leaves it as it was when it
// returns an error.

// Add adds a release, open, and keeps the list in order of version, the highest first.
func (s *Source) Add(r Release) error {
	for i := range s.Releases {
		if old := &s.Releases[i]; old.Version == r.Version && r.meets(old) {
			return fmt.Errorf("channel %s has version %s already; change its rollout with \"channel ramp\"", s.Channel, r.Version)
		}
	}
	next := *s
	next.Releases = append(slices.Clone(s.Releases), r)
	slices.SortStableFunc(next.Releases, func(a, b Release) int { return versions.Compare(b.Version, a.Version) })
	return s.become(next)
}

// meets reports whether two releases are for the same hardware.
func (r *Release) meets(other *Release) bool {
	return len(r.Hardware) == 0 || len(other.Hardware) == 0 ||
		slices.ContainsFunc(r.Hardware, func(h string) bool { return slices.Contains(other.Hardware, h) })
}

// Find returns the releases of a version, of one hardware or, with an empty hardware, of all.
func (s *Source) Find(version, hardware string) ([]Release, error) {
	var found []Release
	for _, r := range s.Releases {
		if r.is(version, hardware) {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return nil, s.missing(version, hardware)
	}
	return found, nil
}

func (r *Release) is(version, hardware string) bool {
	return r.Version == version && (hardware == "" || len(r.Hardware) == 0 || slices.Contains(r.Hardware, hardware))
}

func (s *Source) missing(version, hardware string) error {
	var there []string
	for _, r := range s.Releases {
		there = append(there, r.Version)
	}
	what := "version " + version
	if hardware != "" {
		what += " for hardware " + hardware
	}
	return fmt.Errorf("channel %s has no %s; it has %s", s.Channel, what, cmp.Or(strings.Join(slices.Compact(there), ", "), "none yet"))
}

// Ramp changes the shares of a release that is there. The seed stays, and with it the order
// of the devices: those that were in first are in first again. A halted release is opened
// by resume only; one that was withdrawn stays so. Without a start the shares count from
// now, or from the start that is still to come: counted from one that is past, a rollout
// that was begun anew would be over at once.
func (s *Source) Ramp(version, hardware string, to Rollout, resume bool, now time.Time) error {
	return s.change(version, hardware, func(r *Release) error {
		switch {
		case r.State == Withdrawn:
			return fmt.Errorf("version %s was withdrawn for good; publish a higher version", version)
		case r.State == Halted && !resume:
			return fmt.Errorf("version %s is halted: %s; say --resume to open it again", version, r.Why)
		}
		to := to
		to.Seed = r.Rollout.Seed
		if to.Start.IsZero() {
			to.Start = now.UTC().Truncate(time.Second)
			if r.Rollout.Start.After(to.Start) {
				to.Start = r.Rollout.Start
			}
		}
		r.State, r.Why, r.Rollout = Open, "", to
		return nil
	})
}

// Stop halts or withdraws a release.
func (s *Source) Stop(version, hardware string, state State, why string) error {
	return s.change(version, hardware, func(r *Release) error {
		if r.State == Withdrawn && state == Halted {
			return fmt.Errorf("version %s was withdrawn for good: %s; publish a higher version", version, r.Why)
		}
		r.State, r.Why = state, why
		return nil
	})
}

func (s *Source) change(version, hardware string, do func(r *Release) error) error {
	next := *s
	next.Releases = slices.Clone(s.Releases)
	found := false
	for i := range next.Releases {
		if r := &next.Releases[i]; r.is(version, hardware) {
			found = true
			if err := do(r); err != nil {
				return err
			}
		}
	}
	if !found {
		return s.missing(version, hardware)
	}
	return s.become(next)
}

func (s *Source) become(next Source) error {
	if err := next.Validate(); err != nil {
		return err
	}
	*s = next
	return nil
}

// NewRollout is the rollout of a release that is new in the channel. Its seed has the
// channel and the version, so that each release has other devices for its first.
func (s *Source) NewRollout(version string, now time.Time) Rollout {
	return Rollout{Seed: s.Channel + "/" + version, Start: now.UTC().Truncate(time.Second), Percent: All}
}
