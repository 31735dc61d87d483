package static

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/channel"
)

// answer is what a good channel says to this device.
func (r *round) answer() fleet.Answer {
	c := r.choice
	a := fleet.Answer{
		Facts: r.facts(), Text: c.Text + r.note, Due: c.Due,
		Next: time.Duration(r.signed.PollMinutes) * time.Minute, Alarm: r.alarm(), Details: r.details(),
	}
	if c.Cancel {
		accepted := *r.q.Accepted
		a.Cancel, a.CancelWhy = &accepted, r.gone()
	}
	if c.Release != nil {
		a.Offer = r.offer(c.Release)
	}
	return a
}

func (r *round) offer(release *channel.Release) *fleet.Offer {
	at, err := release.Address(r.url)
	if err != nil { // the channel was read by the same rule
		at = release.URL
	}
	name, _, _ := strings.Cut(release.URL, "?")
	return &fleet.Offer{
		Origin: journal.Origin{Source: r.Name(), Action: release.Version, Digest: release.Digest},
		Source: steps.Source{
			URL: source.New(at), Name: path.Base(name), Size: release.Size, Version: release.Version, Digest: release.Digest, Signed: true,
		},
		Version: release.Version,
		Text:    fmt.Sprintf("version %s of channel %s", release.Version, r.cfg.Name),
		Do:      fleet.Install,
	}
}

// gone says why what was accepted is not to be installed.
func (r *round) gone() string {
	o := r.q.Accepted
	for i := range r.signed.Releases {
		switch it := &r.signed.Releases[i]; {
		case it.Digest != o.Digest:
		case it.State != channel.Open:
			return fmt.Sprintf("version %s is %s: %s", it.Version, it.State, it.Why)
		default:
			return fmt.Sprintf("version %s of channel %s is not for this device any more", it.Version, r.cfg.Name)
		}
	}
	return fmt.Sprintf("channel %s does not have version %s any more", r.cfg.Name, o.Action)
}

func (r *round) alarm() string {
	var all []string
	if r.choice.Withdrawn != "" {
		all = append(all, fmt.Sprintf("version %s, which this device runs, was withdrawn: %s", r.q.Version, r.choice.Withdrawn))
	}
	if r.choice.Reason == channel.OtherProduct {
		all = append(all, r.choice.Text+": correct fleet.channel or device.product in the configuration")
	}
	if r.choice.Alarm {
		all = append(all, fmt.Sprintf("nothing was signed since %s: somebody keeps newer files back, the channel is not signed any more, or this device's clock is wrong",
			r.signed.Issued.Format(time.RFC3339)))
	}
	if r.known.lost {
		all = append(all, "what this device remembered of the channel could not be read, so that it takes whatever is signed")
	}
	return strings.Join(all, "; ")
}

// details tell of the file, so that devices can be compared, and of the device's place in
// the rollout of the newest release for it.
func (r *round) details() []string {
	all := []string{
		"serial " + strconv.FormatInt(r.signed.Serial, 10), "digest " + r.signed.Digest,
		"issued " + r.signed.Issued.Format(time.RFC3339), "expires " + r.signed.Expires.Format(time.RFC3339),
	}
	if release := r.newest(); release != nil {
		all = append(all, fmt.Sprintf("place %s in the rollout of version %s", release.PlaceOf(r.device), release.Version))
	}
	return all
}

func (r *round) newest() (newest *channel.Release) {
	for i := range r.signed.Releases {
		it := &r.signed.Releases[i]
		if r.cfg.concerns(it) && (newest == nil || versions.Compare(it.Version, newest.Version) > 0) {
			newest = it
		}
	}
	return newest
}
