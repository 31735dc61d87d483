package trust

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/tope/updater/steps/bundle/strictjson"
)

// document is a keys.json that enough root keys signed.
type document struct {
	// text is the signed file.
	text    []byte
	serial  int64
	expires time.Time // zero for never
	keys    []listed
}

// listed is a key in keys.json.
type listed struct {
	public
	name                string
	notBefore, notAfter time.Time
	revoked             bool
	use                 Use
}

// keysJSON is the file:
//
//	{"schema": 1, "serial": 7, "expires": "2030-01-01T00:00:00Z",
//	 "keys": [{"name": "release 2026", "key": "RW...",
//	           "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-12-31T00:00:00Z", "revoked": false}]}
//
// expires, not_before, not_after and revoked may be left out, and so may use, which is
// ["channel"] for a key that signs channels and ["release"] or absent for one that signs
// releases. An updater that does not know use refuses the file, as it does with every
// unknown field, and so never takes a channel key for a release key. The serial grows with
// each file, from 1.
type keysJSON struct {
	Schema  int        `json:"schema"`
	Serial  int64      `json:"serial"`
	Expires *time.Time `json:"expires"`
	Keys    []keyJSON  `json:"keys"`
}

type keyJSON struct {
	Name      string     `json:"name"`
	Key       string     `json:"key"`
	NotBefore *time.Time `json:"not_before"`
	NotAfter  *time.Time `json:"not_after"`
	Revoked   bool       `json:"revoked"`
	Use       []string   `json:"use"`
}

// open checks the signatures, and only then reads the text that they sign.
func (r roots) open(text []byte, signatures []signature) (document, error) {
	if _, err := r.check(text, signatures); err != nil {
		return document{}, err
	}
	return parseKeys(text)
}

func parseKeys(text []byte) (document, error) {
	var file keysJSON
	if err := strictjson.Decode(text, &file); err != nil {
		return document{}, err
	}
	d := document{text: text, serial: file.Serial}
	switch {
	case file.Schema != 1:
		return document{}, fmt.Errorf("schema %d, this updater knows 1; update the updater first", file.Schema)
	case file.Serial < 1:
		return document{}, fmt.Errorf("serial %d; the first is 1, and each file has a higher one", file.Serial)
	case len(file.Keys) == 0:
		return document{}, errors.New("it has no keys; name at least one, if only as revoked")
	}
	var err error
	if d.expires, err = instant("expires", file.Expires); err != nil {
		return document{}, err
	}
	seen := map[[32]byte]string{}
	for i, k := range file.Keys {
		l, err := k.listed()
		if err != nil {
			return document{}, fmt.Errorf("key number %d: %w", i+1, err)
		}
		if other, ok := seen[l.point]; ok {
			return document{}, fmt.Errorf("key number %d: %q is the same key as %q; list it once", i+1, l.name, other)
		}
		seen[l.point] = l.name
		d.keys = append(d.keys, l)
	}
	return d, nil
}

func (k keyJSON) listed() (listed, error) {
	l := listed{name: k.Name, revoked: k.Revoked}
	if k.Name == "" || len(k.Name) > 100 || strings.ContainsFunc(k.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return listed{}, fmt.Errorf("%.100q cannot be a key's name; give it 1 to 100 printable characters", k.Name)
	}
	var err error
	if l.use, err = k.purpose(); err != nil {
		return listed{}, err
	}
	if l.public, err = parsePublic(k.Key); err != nil {
		return listed{}, fmt.Errorf("%q: %w", k.Name, err)
	}
	if l.notBefore, err = instant("not_before", k.NotBefore); err != nil {
		return listed{}, err
	}
	if l.notAfter, err = instant("not_after", k.NotAfter); err != nil {
		return listed{}, err
	}
	if k.NotBefore != nil && k.NotAfter != nil && !l.notBefore.Before(l.notAfter) {
		return listed{}, fmt.Errorf("%q: not_after must be later than not_before", k.Name)
	}
	return l, nil
}

// purpose is the use of the key. One key for two uses is refused: it would be a release
// key on the machine that signs channels.
func (k keyJSON) purpose() (Use, error) {
	switch {
	case k.Use == nil, len(k.Use) == 1 && k.Use[0] == "release":
		return Releases, nil
	case len(k.Use) == 1 && k.Use[0] == string(Channel):
		return Channel, nil
	}
	return "", fmt.Errorf("%q: use is %.80q; write [\"release\"] or [\"channel\"], a key has one use", k.Name, k.Use)
}

// instant returns t, or the zero time when the field was left out. It refuses a field
// with the zero time, which would look left out and lift the limit.
func instant(field string, t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if t.IsZero() {
		return time.Time{}, fmt.Errorf("%s: %s makes no sense", field, t.Format(time.RFC3339))
	}
	return t.UTC(), nil
}

// expired returns an error when the document has expired.
func (d document) expired(now time.Time) error {
	if d.expires.IsZero() || clockUnset(now) || !now.After(d.expires) {
		return nil
	}
	return fmt.Errorf("%s with serial %d: expired at %s, and it is %s now; check the clock, or install a newer one by \"tope-updater keys update\"",
		keysFile, d.serial, d.expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
}

func compareSerial(a, b document) int { return cmp.Compare(a.serial, b.serial) }
