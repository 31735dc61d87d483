package trust

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"aead.dev/minisign"
)

// Where a key was found: Key.From.
const (
	FromFile     = "file"
	FromKeysJSON = "keys.json"
)

// State says whether a key may sign releases, at the time when it was loaded.
type State string

// The states of a key, judged when it was loaded.
const (
	Valid       State = "valid"
	NotYetValid State = "not yet valid"
	Expired     State = "expired"
	Revoked     State = "revoked"
)

// Use is what a key may sign. A key has one use: who steals a key that is on an online
// machine, to sign channels, has not got one that signs code.
type Use string

// The uses of a key.
const (
	// Releases is the use of a key of which nothing is said.
	Releases Use = ""
	// Channel keys sign channels (package channel), and never a release.
	Channel Use = "channel"
)

// Key is a key for signing releases, or channels. Its State says whether it may sign them.
type Key struct {
	// ID is minisign's key id, 16 hex digits in upper case. It is a hint, not a
	// proof: two keys may have the same.
	ID string `json:"id"`
	// Name is the name of the key's file below the key directory, or the key's name in keys.json.
	Name string `json:"name"`
	// From is FromFile or FromKeysJSON.
	From string `json:"from"`
	// NotBefore and NotAfter bound the time in which the key may be used, both
	// included; zero for no limit.
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	State     State     `json:"state"`
	// Use is what it may sign; absent for releases.
	Use Use `json:"use,omitempty"`
	// Public is the key as minisign -P takes it.
	Public string `json:"public"`
}

// public is a public key, with the bytes that identify it.
type public struct {
	minisign.PublicKey
	// point is the key proper, without the key id, which anybody can choose.
	point [32]byte
}

func (p public) keyID() string { return keyID(p.ID()) }

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// parsePublic reads the line "RW...". Unlike the library's parser it takes only one
// spelling of a key, and nothing after it.
func parsePublic(line string) (public, error) {
	var p public
	if err := p.UnmarshalText([]byte(line)); err != nil {
		return public{}, err
	}
	if p.String() != line {
		return public{}, errors.New("not one line of a minisign public key")
	}
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return public{}, err
	}
	copy(p.point[:], raw[len(raw)-len(p.point):])
	return p, nil
}

// parsePublicFile reads a .pub file: the line, with or without its comment.
func parsePublicFile(text []byte) (public, error) {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	if strings.HasPrefix(lines[0], "untrusted comment:") {
		lines = lines[1:]
	}
	if len(lines) != 1 {
		return public{}, errors.New("not a comment and one line of a minisign public key")
	}
	return parsePublic(lines[0])
}

// clockUnset reports whether the device's clock has not been set yet.
func clockUnset(now time.Time) bool { return now.UTC().Year() < 2024 }

// stateAt returns the state of a key that is not revoked, by its time limits.
func stateAt(notBefore, notAfter, now time.Time) State {
	switch {
	case clockUnset(now):
		return Valid
	case !notBefore.IsZero() && now.Before(notBefore):
		return NotYetValid
	case !notAfter.IsZero() && now.After(notAfter):
		return Expired
	}
	return Valid
}
