// Package token keeps the bearer tokens of the HTTP API: who may do what over TCP, where
// the kernel does not tell who asks.
//
// A token is 256 random bits, shown once, when it is made. The device keeps its SHA-256.
// A slow hash as for passwords would protect nothing: there is no dictionary of random
// numbers, and 2^256 fast guesses are as impossible as slow ones. It would only let a
// stranger make the device work.
//
// All tokens are in one file, which is root's alone and is replaced as a whole. It is
// read again for each request that brings a token, so that one that is revoked is worth
// nothing from then on. A file that cannot be read, or that says what this program does
// not know, gives nobody any rights: it fails closed.
//
// Start at Store.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tope/updater/platform/secret"
)

// Scope is a part of what may be asked for.
type Scope string

// The scopes. None has another in it.
const (
	// Read is reading what is private: the journal, the words of services in it, sources,
	// and who asked.
	Read Scope = "read"
	// Install is beginning, continuing and cancelling an update that the device's own rules
	// allow.
	Install Scope = "install"
	// Operate is everything else that changes something: setting those rules aside (force,
	// retry), rollback, factory, prune, links, quarantine, reload.
	Operate Scope = "operate"
)

// Scopes are all scopes.
func Scopes() []Scope { return []Scope{Read, Install, Operate} }

// Token is a token as the device knows it.
type Token struct {
	// Name is how the journal and people call it; see ValidName.
	Name   string  `json:"name"`
	Scopes []Scope `json:"scopes"`
	// Created and Expires are in UTC. A token without Expires does not expire.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	// SHA256 is the digest of the token's text, in hex.
	SHA256 string `json:"sha256"`
}

// Expired reports whether the token is of no use any more at a time.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

var (
	// ErrUnknown means that there is no such token, or not any more.
	ErrUnknown = errors.New("there is no such token")
	// ErrExpired means that the token's time is over.
	ErrExpired = errors.New("the token has expired")
	// ErrInvalid means that a token cannot be made as it was asked for.
	ErrInvalid = errors.New("such a token cannot be made")
	// ErrUnreadable means that the file of the tokens cannot be used.
	ErrUnreadable = errors.New("the tokens cannot be read")
)

// Prefix is what each token's text begins with, so that people and scanners for lost
// secrets know it when they see it.
const Prefix = "tope_"

// secretBytes are 256 bits.
const secretBytes = 32

// generate makes a new token's text.
func generate() secret.Text {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // it never fails: without randomness the program ends
	return secret.New(Prefix + base64.RawURLEncoding.EncodeToString(raw))
}

// digest is the digest of a token's text, in hex.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// find returns the token whose text it is. It compares with all of them, each in
// constant time.
func find(all []Token, text string) (found Token, ok bool) {
	want := []byte(digest(text))
	for _, t := range all {
		if subtle.ConstantTimeCompare([]byte(t.SHA256), want) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// ValidName returns why a token cannot be called so; the error wraps ErrInvalid.
func ValidName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: the name %.80q is not 1 to 64 letters, digits, dots, dashes and underscores that begin with a letter or digit", ErrInvalid, name)
	}
	return nil
}

// ParseScopes reads scopes in any order; the error wraps ErrInvalid.
func ParseScopes(names []string) ([]Scope, error) {
	var out []Scope
	for _, s := range Scopes() {
		if slices.Contains(names, string(s)) {
			out = append(out, s)
		}
	}
	if strings.Join(names, "") == "" {
		return nil, fmt.Errorf("%w: a token needs a scope (--scope), or several with commas: read (what is private, such as the journal), "+
			"install (updates that the device's rules allow), operate (everything else, which also sets those rules aside)", ErrInvalid)
	}
	for _, name := range names {
		if !slices.Contains(Scopes(), Scope(name)) {
			return nil, fmt.Errorf("%w: %.40q is not a scope; there are read, install and operate", ErrInvalid, name)
		}
	}
	return out, nil
}

// day is how long a day is here: a token's life need not follow the calendar.
const day = 24 * time.Hour

// ParseExpiry reads when a token expires: "never" (the zero time), a time (RFC 3339), or
// how long from now: "90d", "36h". The error wraps ErrInvalid.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d, derr := lifetime(text)
		if derr != nil {
			return time.Time{}, fmt.Errorf(`%w: %.40q is not when it expires; write a time like "2027-01-31T12:00:00Z", a duration like "90d" or "36h", or "never"`, ErrInvalid, text)
		}
		at = now.Add(d)
	}
	at = at.UTC().Truncate(time.Second)
	if !at.After(now) || at.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%w: it would have expired on %s, and now is %s on this device", ErrInvalid, at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return at, nil
}

// lifetime is a duration, in days too.
func lifetime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%w: %s", ErrInvalid, text)
		}
		return time.Duration(n) * day, nil
	}
	return time.ParseDuration(text)
}
