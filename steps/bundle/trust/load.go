package trust

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Keys are the keys that a device trusts, as read once from its key directory. They are
// immutable, and so safe for concurrent use. The zero Keys trusts nobody.
type Keys struct {
	// open has a field of its own, and does not follow from the lack of keys, so
	// that only Load can set it.
	open     bool
	keys     []entry
	rotation *Rotation
}

// entry is a key with the public key for checking signatures.
type entry struct {
	pub public
	key Key
}

// Rotation describes the root keys, which decide which keys may sign releases.
type Rotation struct {
	// Roots are the key ids of the root keys.
	Roots []string `json:"roots"`
	// Threshold is how many of them have to sign.
	Threshold int `json:"threshold"`
	// Serial is the serial of the keys.json in force; 0 when there is none yet.
	Serial int64 `json:"serial"`
	// Expires is the time from which that keys.json does not count any more; zero for
	// no limit.
	Expires time.Time `json:"expires,omitzero"`
}

// Load reads dir, a host path. A missing directory, or one without keys and
// without root/, gives an empty set that is Open. Anything in it that cannot be
// read, parsed or checked is an error, and so is a keys.json that has expired:
// the caller then has to refuse every bundle. Validity is judged at now.
func Load(dir string, now time.Time) (*Keys, error) {
	k, err := load(dir, now)
	if err != nil {
		return nil, fmt.Errorf("load the keys: %w", err)
	}
	return k, nil
}

func load(dir string, now time.Time) (*Keys, error) {
	names, there, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	if !there {
		return &Keys{open: true}, nil
	}
	files, err := readPublics(dir, names)
	if err != nil {
		return nil, err
	}
	r, err := readRoots(dir)
	if err != nil {
		return nil, err
	}
	channels, err := readChannelKeys(dir)
	if err != nil {
		return nil, err
	}
	docs, err := r.present(dir, names)
	if err != nil {
		return nil, err
	}
	k := &Keys{open: len(files) == 0 && len(channels) == 0 && len(r.keys) == 0}
	if len(r.keys) > 0 {
		k.rotation = &Rotation{Roots: r.ids(), Threshold: r.threshold}
	}
	if len(docs) > 0 {
		d := docs[0]
		if len(docs) > 1 && compareSerial(d, docs[1]) == 0 && !bytes.Equal(d.text, docs[1].text) {
			return nil, fmt.Errorf("read %s: %s and %s differ, and both have serial %d; sign one with a higher serial",
				dir, keysFile, signedFile, d.serial)
		}
		if err := d.expired(now); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, keysFile), err)
		}
		k.rotation.Serial, k.rotation.Expires = d.serial, d.expires
		k.list(d, now)
	}
	k.add(files, Releases)
	k.add(channels, Channel)
	return k, nil
}

// list takes the keys of a keys.json.
func (k *Keys) list(d document, now time.Time) {
	for _, l := range d.keys {
		state := stateAt(l.notBefore, l.notAfter, now)
		if l.revoked {
			state = Revoked
		}
		k.keys = append(k.keys, entry{l.public, Key{
			ID: l.keyID(), Name: l.name, From: FromKeysJSON, State: state, Use: l.use, Public: l.String(),
			NotBefore: l.notBefore, NotAfter: l.notAfter,
		}})
	}
}

// add takes the keys from files, each once. A key's entry in keys.json holds for its
// file too, also when the key ids differ: anybody can choose a key id. Without an entry, a
// key that is in files of both uses signs releases only.
func (k *Keys) add(files []named, use Use) {
	for _, f := range files {
		key := Key{ID: f.keyID(), Name: f.name, From: FromFile, State: Valid, Use: use, Public: f.String()}
		known := false
		for _, e := range k.keys {
			if e.pub.point == f.point {
				key.State, key.NotBefore, key.NotAfter, key.Use = e.key.State, e.key.NotBefore, e.key.NotAfter, e.key.Use
				known = known || e.pub.ID() == f.ID()
			}
		}
		if !known {
			k.keys = append(k.keys, entry{f.public, key})
		}
	}
}

// Open reports whether there are no keys at all, not even root keys: whom this device
// trusts has not been decided. Verify verifies nothing in that case too. A key for
// channels is a key: a device that has only such keys takes no release.
func (k *Keys) Open() bool { return k != nil && k.open }

// List returns every key but the root keys, whatever its state and use, those of
// keys.json first. The caller may change the list.
func (k *Keys) List() []Key {
	list := []Key{}
	if k != nil {
		for _, e := range k.keys {
			list = append(list, e.key)
		}
	}
	return list
}

// forReleases counts the keys whose use is to sign releases, whatever their state.
func (k *Keys) forReleases() (n int) {
	for _, e := range k.keys {
		if e.key.Use == Releases {
			n++
		}
	}
	return n
}

// Rotation returns nil for a device without root keys. The caller may change the
// result.
func (k *Keys) Rotation() *Rotation {
	if k == nil || k.rotation == nil {
		return nil
	}
	r := *k.rotation
	r.Roots = slices.Clone(r.Roots)
	return &r
}
