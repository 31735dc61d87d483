package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"aead.dev/minisign"
)

// roots are the root keys and how many of them have to sign.
type roots struct {
	keys      []named
	threshold int
}

// readRoots reads dir/root. Without such a directory there are no root keys. A root
// directory without a key is an error, because the device has lost its root keys.
func readRoots(dir string) (roots, error) {
	dir = filepath.Join(dir, rootDir)
	names, there, err := readNames(dir)
	if err != nil || !there {
		return roots{}, err
	}
	keys, err := readPublics(dir, names)
	if err != nil {
		return roots{}, err
	}
	if len(keys) == 0 {
		return roots{}, fmt.Errorf("read %s: no *.pub file in it; put the root keys there, or remove the directory", dir)
	}
	r := roots{keys: keys, threshold: 1}
	if slices.Contains(names, thresholdFile) {
		if r.threshold, err = readThreshold(filepath.Join(dir, thresholdFile)); err != nil {
			return roots{}, err
		}
	}
	if n := r.distinct(); r.threshold > n {
		return roots{}, fmt.Errorf("read %s: a threshold of %d cannot be reached with %d distinct root keys; add keys or lower it",
			filepath.Join(dir, thresholdFile), r.threshold, n)
	}
	return r, nil
}

func readThreshold(path string) (int, error) {
	text, err := readRegular(path, maxPub)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("read %s: %.20q is not a number of root keys; write a decimal number of at least 1", path, text)
	}
	return int(n), nil
}

// distinct counts the distinct keys, whatever their files and key ids.
func (r roots) distinct() int {
	points := map[[32]byte]bool{}
	for _, k := range r.keys {
		points[k.point] = true
	}
	return len(points)
}

// ids returns the key ids, each once, for people.
func (r roots) ids() []string {
	var ids []string
	for _, k := range r.keys {
		ids = append(ids, k.keyID())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// signature is the text of a .minisig file, with a name for messages.
type signature struct {
	name string
	text []byte
}

// check returns the signatures that count, one for each root key that signed message.
// If they are fewer than the threshold, it returns an error that says why the others
// did not count.
func (r roots) check(message []byte, signatures []signature) ([]signature, error) {
	if len(r.keys) == 0 || r.threshold < 1 {
		return nil, errors.New("there are no root keys; put them into " + rootDir + "/ of the key directory")
	}
	signed := map[[32]byte]bool{}
	var good []signature
	var problems []string
	for _, s := range signatures {
		k, err := r.signer(message, s.text)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s: %s", s.name, err))
		case signed[k.point]:
			problems = append(problems, fmt.Sprintf("%s: root key %s signed already", s.name, k.keyID()))
		default:
			signed[k.point] = true
			good = append(good, s)
		}
	}
	if len(signed) < r.threshold {
		why := strings.Join(problems, "; ")
		if why == "" {
			why = "there is no other signature"
		}
		return nil, fmt.Errorf("%d of %d needed root keys signed it (%s); have more of them sign it", len(signed), r.threshold, why)
	}
	return good, nil
}

// signer returns the root key that made the signature.
func (r roots) signer(message, text []byte) (named, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(text); err != nil {
		return named{}, err
	}
	known := false
	for _, k := range r.keys {
		if k.ID() != s.KeyID {
			continue
		}
		known = true
		if minisign.Verify(k.PublicKey, message, text) {
			return k, nil
		}
	}
	if known {
		return named{}, fmt.Errorf("root key %s did not sign this", keyID(s.KeyID))
	}
	return named{}, fmt.Errorf("key %s is not a root key of this device", keyID(s.KeyID))
}

// signaturesIn reads the signature files of keys.json among names.
func signaturesIn(dir string, names []string) ([]signature, error) {
	var all []signature
	for _, name := range names {
		if !strings.HasPrefix(name, keysFile) || !strings.HasSuffix(name, ".minisig") {
			continue
		}
		text, err := readRegular(filepath.Join(dir, name), maxSignature)
		if err != nil {
			return nil, err
		}
		all = append(all, signature{name, text})
	}
	return all, nil
}

// present reads the document placed by hand and the one that Update placed. The newest,
// which is in force, comes first.
func (r roots) present(dir string, names []string) ([]document, error) {
	var docs []document
	signatures, err := signaturesIn(dir, names)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(names, keysFile):
		path := filepath.Join(dir, keysFile)
		text, err := readRegular(path, maxKeys)
		if err != nil {
			return nil, err
		}
		d, err := r.open(text, signatures)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		docs = append(docs, d)
	case len(signatures) > 0:
		return nil, fmt.Errorf("read %s: %w, but its signature %s is there; put both there, or neither",
			filepath.Join(dir, keysFile), fs.ErrNotExist, signatures[0].name)
	}
	if slices.Contains(names, signedFile) {
		path := filepath.Join(dir, signedFile)
		text, err := readRegular(path, maxSigned)
		if err != nil {
			return nil, err
		}
		d, err := r.openSigned(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w; remove it to go back to the keys placed by hand", path, err)
		}
		docs = append(docs, d)
	}
	sort.SliceStable(docs, func(i, j int) bool { return compareSerial(docs[i], docs[j]) > 0 })
	return docs, nil
}
