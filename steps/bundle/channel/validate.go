package channel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tope/updater/platform/versions"
)

const (
	maxName     = 100
	maxWhy      = 200
	maxURL      = 2048
	maxHardware = 64
	maxSize     = 1 << 40
	maxHours    = 365 * 24
	minPoll     = 5
	maxPoll     = 7 * 24 * 60
)

func (f *File) validate() error {
	if err := f.Content.validate(); err != nil {
		return err
	}
	switch valid := f.Expires.Sub(f.Issued); {
	case f.Serial < 1 || f.Serial > MaxSerial:
		return fmt.Errorf("serial %d; want a number from 1 to %d", f.Serial, int64(MaxSerial))
	case !sound(f.Issued) || !sound(f.Expires):
		return errors.New("issued and expires have to be times from 1970 to 9999")
	case valid <= 0 || valid > MaxValid:
		return fmt.Errorf("it expires %s after it was issued; want up to %d hours", valid, int64(MaxValid/time.Hour))
	}
	return nil
}

// Validate judges a source by the rules that its file has to keep.
func (s *Source) Validate() error {
	if s.ValidHours < 1 || s.ValidHours > int64(MaxValid/time.Hour) {
		return fmt.Errorf("valid_hours is %d; want 1 to %d", s.ValidHours, int64(MaxValid/time.Hour))
	}
	return s.validate()
}

func sound(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9999 }

func (c *Content) validate() error {
	switch {
	case c.Schema != schema:
		return fmt.Errorf("schema %d, this program knows %d; update it first", c.Schema, schema)
	case c.Channel == "" || len(c.Channel) > maxName || strings.Trim(c.Channel, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("channel: %.40q is not a name of small letters, digits and -", c.Channel)
	case !name(c.Product):
		return fmt.Errorf("product: %.40q is not 1 to %d printable characters", c.Product, maxName)
	case c.KeysSerial < 0 || c.KeysSerial > MaxSerial:
		return fmt.Errorf("keys_serial is %d; want the serial of a keys.json, or leave it out", c.KeysSerial)
	case c.PollMinutes != 0 && (c.PollMinutes < minPoll || c.PollMinutes > maxPoll):
		return fmt.Errorf("poll_minutes is %d; want %d to %d, or leave it out", c.PollMinutes, minPoll, maxPoll)
	case len(c.Releases) > maxReleases:
		return fmt.Errorf("%d releases, more than the %d allowed; take out those that no device needs any more", len(c.Releases), maxReleases)
	}
	// One version on one hardware is one release, or two readers could take different ones.
	taken := map[[2]string]bool{}
	for i := range c.Releases {
		r := &c.Releases[i]
		if err := r.validate(); err != nil {
			return fmt.Errorf("release number %d, %.40q: %w", i+1, r.Version, err)
		}
		for _, h := range r.kinds() {
			if taken[[2]string{r.Version, h}] || taken[[2]string{r.Version, every}] || h == every && taken[[2]string{r.Version, some}] {
				return fmt.Errorf("release number %d: version %s is there twice for one hardware", i+1, r.Version)
			}
			taken[[2]string{r.Version, h}] = true
		}
		if len(r.Hardware) > 0 {
			taken[[2]string{r.Version, some}] = true
		}
	}
	return nil
}

// In the table of what is taken these stand where a name of hardware does. No hardware has
// such a name.
const (
	every = ""
	some  = "\x00"
)

func (r *Release) kinds() []string {
	if len(r.Hardware) == 0 {
		return []string{every}
	}
	return r.Hardware
}

// name accepts what people and configurations can write.
func name(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

func (r *Release) validate() error {
	if err := versions.ValidVersion(r.Version); err != nil {
		return err
	}
	if r.From != "" {
		if err := versions.ValidVersion(r.From); err != nil {
			return fmt.Errorf("from: %w", err)
		}
		if versions.Compare(r.From, r.Version) >= 0 {
			return fmt.Errorf("from: %s is not below %s; name the lowest version that may go to it", r.From, r.Version)
		}
	}
	switch hash, ok := strings.CutPrefix(r.Digest, "sha256:"); {
	case len(r.Hardware) > maxHardware || slices.ContainsFunc(r.Hardware, func(h string) bool { return !name(h) }):
		return fmt.Errorf("hardware: want up to %d names of printable characters", maxHardware)
	case r.Size < 1 || r.Size > maxSize:
		return fmt.Errorf("size is %d; want the bytes of the bundle", r.Size)
	case !ok || len(hash) != 64 || hash != strings.ToLower(hash) || !hexadecimal(hash):
		return fmt.Errorf("digest: %.80q is not \"sha256:\" and 64 small hex digits, as \"tope-bundle inspect\" shows it", r.Digest)
	case r.State != Open && r.State != Halted && r.State != Withdrawn:
		return fmt.Errorf("state: %.40q is not %s, %s or %s", r.State, Open, Halted, Withdrawn)
	case r.State != Open && r.Why == "":
		return fmt.Errorf("it is %s, and why is missing; say it to those who look at their devices", r.State)
	case r.Why != "" && (r.State == Open || len(r.Why) > maxWhy || strings.ContainsFunc(r.Why, func(c rune) bool { return !unicode.IsPrint(c) })):
		return fmt.Errorf("why: want one line of up to %d bytes, of a release that is not open", maxWhy)
	}
	if _, err := reference(r.URL); err != nil {
		return err
	}
	return r.Rollout.validate()
}

func hexadecimal(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// reference reads a release's URL. Plain http is refused, so that the way to a bundle is
// never weaker than the way to the channel.
func reference(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "" || len(text) > maxURL || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }):
		return nil, fmt.Errorf("url: want 1 to %d printable ASCII characters; write others as %%XX", maxURL)
	case err != nil:
		return nil, fmt.Errorf("url: %.80q cannot be read", text)
	case u.Scheme == "" && u.Host == "" && u.User == nil && u.Fragment == "" && u.Path != "":
		return u, nil
	case u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("url: %.80q is neither an https URL without a password nor a path relative to the channel", text)
	}
	return u, nil
}

// Address is where the bundle is, for a channel that came from base. Whatever scheme base
// has, a relative reference keeps scheme and host.
func (r *Release) Address(base *url.URL) (string, error) {
	u, err := reference(r.URL)
	if err != nil {
		return "", err
	}
	return base.ResolveReference(u).String(), nil
}

func (r *Rollout) validate() error {
	switch {
	case !name(r.Seed):
		return fmt.Errorf("rollout: seed: %.40q is not 1 to %d printable characters", r.Seed, maxName)
	case !sound(r.Start):
		return errors.New("rollout: start has to be a time from 1970 to 9999")
	case (r.Hours == 0) != (r.To == 0):
		return errors.New("rollout: to and hours belong together; leave both out when the share stays as it is")
	case r.Hours < 0 || r.Hours > maxHours:
		return fmt.Errorf("rollout: hours is %d; want 1 to %d", r.Hours, maxHours)
	case r.Hours > 0 && r.To < r.Percent:
		return fmt.Errorf("rollout: to is %s, below percent, which is %s; a rollout only grows", r.To, r.Percent)
	}
	return nil
}
