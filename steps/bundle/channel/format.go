package channel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tope/updater/steps/bundle/strictjson"
)

// Limits of the format.
const (
	// MaxFile is the size of a channel, signed or not, in bytes.
	MaxFile = 256 << 10
	// MaxSerial is the highest number that every reader of JSON reads exactly.
	MaxSerial = 1<<53 - 1
	// MaxValid is the longest time for which a channel may be valid.
	MaxValid = 400 * 24 * time.Hour

	schema      = 1
	maxReleases = 500
)

// Content is what people say in a channel: all of it but the signing.
type Content struct {
	// Schema is 1.
	Schema int `json:"schema"`
	// Channel is its name, as devices have it in their configuration.
	Channel string `json:"channel"`
	// Product is the product of all its releases.
	Product string `json:"product"`
	// KeysSerial is the serial of the keys.json that a device needs before it installs
	// anything of this channel; 0 for none.
	KeysSerial int64 `json:"keys_serial,omitempty"`
	// PollMinutes is how long a device waits until it asks again; 0 leaves it to the device.
	PollMinutes int64 `json:"poll_minutes,omitempty"`
	// Releases are in no order: a device takes the highest version that it may.
	Releases []Release `json:"releases"`
}

// File is a channel as it is signed.
type File struct {
	Content
	// Serial is higher in each file that is signed.
	Serial int64 `json:"serial"`
	// Issued is the time of signing; never earlier in a later file.
	Issued time.Time `json:"issued"`
	// Expires is the time from which no device begins to install by this file.
	Expires time.Time `json:"expires"`
}

// Source is the file that people edit and review.
type Source struct {
	Content
	// ValidHours is for how long each signing is valid.
	ValidHours int64 `json:"valid_hours"`
}

// State says whether devices may install a release.
type State string

// The states of a release.
const (
	// Open: devices take it as its rollout says.
	Open State = "open"
	// Halted: no device begins, and one that has not switched yet gives up.
	Halted State = "halted"
	// Withdrawn is Halted for good; a device that runs it says so. A release with a
	// higher version leads away from it: a channel never leads down.
	Withdrawn State = "withdrawn"
)

// Release is one release of a channel.
type Release struct {
	Version string `json:"version"`
	// Hardware lists the hardware it is for; absent for every hardware of the product.
	Hardware []string `json:"hardware,omitempty"`
	// From is the lowest version from which a device may go to it; absent for any.
	From string `json:"from,omitempty"`
	// URL is where its bundle is: an https URL, or a reference relative to the channel's.
	URL string `json:"url"`
	// Size is the size of the bundle in bytes.
	Size int64 `json:"size"`
	// Digest names the release, as "tope-bundle inspect" and the device's quarantine do:
	// "sha256:" and the SHA-256 of its packed release file, which its signature vouches for.
	Digest  string  `json:"digest"`
	Rollout Rollout `json:"rollout"`
	State   State   `json:"state"`
	// Why says to people why it is halted or withdrawn.
	Why string `json:"why,omitempty"`
}

// Rollout says how many of the devices may install a release, and when.
type Rollout struct {
	// Seed puts the devices in their order: see Place. It stays the same while shares change.
	Seed string `json:"seed"`
	// Start is when the first devices may begin.
	Start time.Time `json:"start"`
	// Percent is the share at Start.
	Percent Percent `json:"percent"`
	// To is the share after Hours, which grows evenly until then. Both are absent when the
	// share stays as it is.
	To    Percent `json:"to,omitempty"`
	Hours int64   `json:"hours,omitempty"`
}

// Parse reads a channel's body strictly. It says nothing of the signature: see Verify.
func Parse(body []byte) (*File, error) {
	var f File
	if err := decode(body, &f); err != nil {
		return nil, err
	}
	f.Issued, f.Expires = f.Issued.UTC(), f.Expires.UTC()
	return &f, f.validate()
}

// ParseSource reads a source strictly.
func ParseSource(text []byte) (*Source, error) {
	var s Source
	if err := decode(text, &s); err != nil {
		return nil, err
	}
	return &s, s.Validate()
}

func decode(text []byte, v any) error {
	if len(text) > MaxFile {
		return fmt.Errorf("it has %d bytes, more than the %d allowed; take out releases that no device needs any more", len(text), MaxFile)
	}
	return strictjson.Decode(text, v)
}

// Encode writes the body that is signed. The same channel always gives the same bytes.
func (f *File) Encode() ([]byte, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	return encode(f)
}

// Encode writes the source as people review it. The same source always gives the same bytes.
func (s *Source) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return encode(s)
}

func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if out.Len() > MaxFile {
		return nil, fmt.Errorf("it would have %d bytes, more than the %d allowed; take out releases that no device needs any more", out.Len(), MaxFile)
	}
	return out.Bytes(), nil
}

// File is the channel to sign now, with this serial.
func (s *Source) File(serial int64, now time.Time) *File {
	issued := now.UTC().Truncate(time.Second)
	return &File{Content: s.Content, Serial: serial, Issued: issued, Expires: issued.Add(time.Duration(s.ValidHours) * time.Hour)}
}

// container is the file that is published: body and signatures in one, so that a body
// never meets the signature of another on its way.
type container struct {
	Schema     int      `json:"schema"`
	Channel    []byte   `json:"channel"`
	Signatures [][]byte `json:"signatures"`
}

// Seal puts a body and its signatures, the contents of .minisig files, into one file.
func Seal(body []byte, signatures [][]byte) ([]byte, error) {
	text, err := encode(container{schema, body, signatures})
	if err == nil && (len(signatures) == 0 || len(signatures) > maxSignatures) {
		err = fmt.Errorf("%d signatures; a channel has 1 to %d", len(signatures), maxSignatures)
	}
	return text, err
}

// Unseal takes a file of Seal apart. It checks no signature.
func Unseal(file []byte) (body []byte, signatures [][]byte, err error) {
	var c container
	if err := decode(file, &c); err != nil {
		return nil, nil, err
	}
	switch {
	case c.Schema != schema:
		return nil, nil, fmt.Errorf("schema %d, this program knows %d; update it first", c.Schema, schema)
	case len(c.Channel) == 0:
		return nil, nil, errors.New("there is no channel in it")
	case len(c.Signatures) == 0 || len(c.Signatures) > maxSignatures:
		return nil, nil, fmt.Errorf("%d signatures; a channel has 1 to %d", len(c.Signatures), maxSignatures)
	}
	return c.Channel, c.Signatures, nil
}
