package static

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// round is one Ask, from the answer of the server on.
type round struct {
	*Source
	q     fleet.Question
	known facts
	got   got

	memory channel.Memory
	signed *channel.Signed
	choice channel.Choice
	err    error
	// note says, of what went wrong, what was tried against it.
	note   string
	device channel.Device
}

// judge receives the file, and chooses by it. It may be called again with newer keys.
func (r *round) judge(keys *trust.Keys) {
	if r.got.unchanged {
		r.signed, r.memory, r.err = r.again(keys, r.known.Memory)
	} else {
		r.signed, r.memory, r.err = channel.Receive(r.got.body, keys, r.cfg.Name, r.known.Memory)
	}
	if r.err != nil {
		return
	}
	d := r.cfg.Device
	d.Version, d.Quarantined = r.q.Version, r.q.Quarantined
	if rotation := keys.Rotation(); rotation != nil {
		d.Rotates, d.KeysSerial = true, rotation.Serial
	}
	if r.q.Accepted != nil {
		d.Accepted = r.q.Accepted.Digest
	}
	r.device = d
	r.choice = r.signed.Choose(d, r.known.time(r.memory, r.q, r.cfg))
	if r.choice.Reason == channel.OtherProduct {
		// Its serials are those of another channel, which may have the same name: what
		// they are now says nothing of this device's own.
		r.memory = r.known.Memory.Without(keys.List())
	}
	if !r.got.unchanged {
		r.keep(r.signed, r.got.tag)
	}
}

// again is channel.Receive for the file that is in memory, and that the server still has.
func (s *Source) again(keys *trust.Keys, m channel.Memory) (*channel.Signed, channel.Memory, error) {
	m = m.Without(keys.List())
	have := *s.have
	if have.Signers = signers(s.have, keys); len(have.Signers) == 0 {
		return nil, m, fmt.Errorf("%w, or that is not valid any more: %s", trust.ErrRevoked, s.have.Signers[0].ID)
	}
	if err := m.Judge(&have); err != nil {
		return nil, m, err
	}
	return &have, m.Advance(&have), nil
}

// signers are those of the file's that may still sign channels.
func signers(have *channel.Signed, keys *trust.Keys) (valid []trust.Key) {
	for _, k := range keys.List() {
		if k.Use == trust.Channel && k.State == trust.Valid &&
			slices.ContainsFunc(have.Signers, func(by trust.Key) bool { return by.Public == k.Public }) {
			valid = append(valid, k)
		}
	}
	return valid
}

// wantsKeys reports whether a newer keys.json may help: the signer is new or was revoked,
// or he who has signed what is remembered was.
func (r *round) wantsKeys(keys *trust.Keys) bool {
	if r.cfg.UpdateKeys == nil || keys.Rotation() == nil {
		return false
	}
	if r.err == nil {
		return r.choice.Reason == channel.NeedsKeys
	}
	return slices.ContainsFunc([]error{
		trust.ErrUnknownKey, trust.ErrRevoked, trust.ErrNotValidNow, channel.ErrRollback, channel.ErrForked,
	}, func(e error) bool { return errors.Is(r.err, e) })
}

// keep keeps of a good file what may concern this device: the releases for its hardware,
// and the newest one for others, which is why there is nothing for it.
func (s *Source) keep(signed *channel.Signed, tag string) {
	file := *signed.File
	file.Releases = nil
	var other *channel.Release
	for i := range signed.Releases {
		r := &signed.Releases[i]
		switch {
		case s.cfg.concerns(r):
			file.Releases = append(file.Releases, *r)
		case other == nil || versions.Compare(r.Version, other.Version) > 0:
			other = r
		}
	}
	if other != nil {
		file.Releases = append(file.Releases, *other)
	}
	file.Releases = slices.Clip(file.Releases)
	have := *signed
	have.File, have.Body = &file, nil
	s.have, s.tag = &have, tag
}

// concerns reports whether a release is for the device's hardware.
func (c *Config) concerns(r *channel.Release) bool {
	return len(r.Hardware) == 0 || slices.Contains(r.Hardware, c.Device.Hardware)
}
