package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// MaxURL is the longest URL of a bundle, in bytes: signed URLs of object stores have two
// thousand. The journal keeps the URL of each update, and must not be filled with it.
const MaxURL = 4096

const (
	// digestPrefix begins the digest of a release that can be signed.
	digestPrefix = "sha256:"
	// maxCredential bounds the name of credentials, in bytes.
	maxCredential = 100
)

// checkSource refuses a source that no step could fetch, or that is too long to be kept,
// before it is journaled.
func checkSource(s steps.Source) (steps.Source, error) {
	if n := s.URL.Len(); n > MaxURL {
		return s, fmt.Errorf("%w: the URL has %d bytes, more than the %d that it may have", ErrInvalid, n, MaxURL)
	}
	if _, err := s.URL.Parse(); err != nil {
		return s, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if s.Size < 0 {
		return s, fmt.Errorf("%w: the size is negative", ErrInvalid)
	}
	if s.SHA256 != "" && !isSHA256(s.SHA256) {
		return s, fmt.Errorf("%w: the SHA-256 is not 64 lower-case hexadecimal digits", ErrInvalid)
	}
	if hex, ok := strings.CutPrefix(s.Digest, digestPrefix); s.Digest != "" && (!ok || !isSHA256(hex)) {
		return s, fmt.Errorf("%w: the release's digest is not %q and 64 lower-case hexadecimal digits", ErrInvalid, digestPrefix)
	}
	if len(s.Credential) > maxCredential || !printable.IsLine(s.Credential) {
		return s, fmt.Errorf("%w: the name of the credentials is not a printable one of %d bytes at most", ErrInvalid, maxCredential)
	}
	if s.Version != "" {
		if err := versions.ValidVersion(s.Version); err != nil {
			return s, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return s, nil
}

// isSHA256 reports whether a text is a SHA-256 as this device writes it.
func isSHA256(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// recorded is a source as the journal has it.
type recorded struct {
	steps.Source
	// Withheld: the URL has secrets, and the Keeper has them.
	Withheld bool `json:"withheld,omitempty"`
	// Handed names the only file that may be read; nil for a file that root has named.
	Handed *steps.Handed `json:"handed,omitempty"`
}

// record keeps the secrets of an update's source where no record is, and returns what the
// journal is to have. The update is not accepted yet: if the power goes here, the next
// start finds a directory of no update, and removes it.
func record(k Keeper, update string, src steps.Source, h *steps.Handed) (json.RawMessage, error) {
	r := recorded{Source: src, Handed: h, Withheld: src.URL.HasSecrets()}
	if r.Withheld {
		if err := k.KeepSource(update, src.URL); err != nil {
			return nil, steps.FromOS(err, "keep the URL")
		}
	}
	return json.Marshal(r)
}

// sourceOf is the source of an update as the journal has it. An update that version 0.9
// has accepted has its secrets there.
func sourceOf(u *journal.Update) (r recorded, err error) {
	if len(u.Source) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(u.Source, &r); err != nil {
		return r, fmt.Errorf("cannot read the source of update %s in the journal: %w", u.ID, err)
	}
	return r, nil
}

// wholeSource is the source as it was asked for, to download from.
func wholeSource(k Keeper, u *journal.Update) (recorded, error) {
	r, err := sourceOf(u)
	if err != nil || !r.Withheld {
		return r, err
	}
	if r.URL, err = k.Source(u.ID); err != nil {
		return r, &steps.Error{
			Class: steps.Unavailable, Code: steps.DownloadFailed, Err: fmt.Errorf("the secrets of its URL cannot be read any more: %w", err),
			Hint: "install it again; what was fetched is kept",
		}
	}
	return r, nil
}

// same reports whether two requests name the same bundle in the same words.
func same(a, b steps.Source) bool {
	return a.URL.Equal(b.URL) && a.Name == b.Name && a.Size == b.Size && a.MD5 == b.MD5 && a.Version == b.Version &&
		a.SHA256 == b.SHA256 && a.Digest == b.Digest && a.Signed == b.Signed && a.Credential == b.Credential && a.Sparing == b.Sparing
}

// sourceName is the source of an offer; empty for none.
func sourceName(o *journal.Origin) string {
	if o == nil {
		return ""
	}
	return o.Source
}

func sameOrigin(a, b *journal.Origin) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
