package httpapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/printable"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// maxName is the longest name, in characters.
const maxName = 255

// checkSource returns an error when a bundle cannot be meant as the request
// names it.
func checkSource(s steps.Source) error {
	if _, err := s.URL.Parse(); err != nil {
		return invalid("%w", err)
	}
	return checkDeclared(s)
}

// checkWebSource is checkSource for a client that names web servers only.
func checkWebSource(s steps.Source) error {
	l, err := s.URL.Parse()
	switch {
	case err != nil:
		return invalid("%w", err)
	case !l.Web():
		return invalid("the URL %s must be http or https", quote(s.URL.Redacted()))
	}
	return checkDeclared(s)
}

// checkDeclared checks the claims about the bundle beside its URL.
func checkDeclared(s steps.Source) error {
	switch {
	case s.URL.Len() > engine.MaxURL:
		return invalid("the URL has %d bytes, more than the %d that it may have", s.URL.Len(), engine.MaxURL)
	case s.Size < 0:
		return invalid("the size must not be negative")
	case s.MD5 != "" && !isMD5(s.MD5):
		return invalid("the MD5 must be 32 lower-case hex digits")
	case s.Name != "" && !plainName(s.Name):
		return invalid("the name %s is not a plain file name", quote(s.Name))
	case s.Version != "":
		return checkVersion(s.Version)
	}
	return nil
}

func checkVersion(s string) error {
	if err := versions.ValidVersion(s); err != nil {
		return invalid("%v", err)
	}
	return nil
}

func isMD5(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// plainName reports whether s can be a file's name: without a path, and without
// characters that a terminal or a log obeys.
func plainName(s string) bool {
	return s != "." && s != ".." && utf8.RuneCountInString(s) <= maxName && !strings.ContainsAny(s, `/\`) && printable.IsLine(s)
}

// UpdatesWithoutPasswords is updates as people and other programs see them. Records that
// an earlier version has written may have a URL with its secrets.
func UpdatesWithoutPasswords(all []journal.Update) []journal.Update {
	all = slices.Clone(all)
	for i := range all {
		all[i] = withoutPasswords(all[i])
	}
	return all
}

func withoutPasswords(u journal.Update) journal.Update {
	found := u.Found
	u.Source, u.Error, u.Cause, u.Found = withoutSecrets(u.Source), scrubbed(u.Error), scrubbed(u.Cause), maps.Clone(found)
	for step, text := range found {
		u.Found[step] = source.ScrubJSON(text)
	}
	return u
}

// RecordsWithoutPasswords is records as people and other programs see them.
func RecordsWithoutPasswords(all []journal.Record) []journal.Record {
	all = slices.Clone(all)
	for i, r := range all {
		all[i].Why, all[i].Error, all[i].Evidence = source.Scrub(r.Why), scrubbed(r.Error), source.ScrubJSON(r.Evidence)
		if r.Accept != nil {
			shown := *r.Accept
			shown.Source = withoutSecrets(shown.Source)
			all[i].Accept = &shown
		}
	}
	return all
}

func scrubbed(f *journal.Failure) *journal.Failure {
	if f == nil {
		return nil
	}
	shown := *f
	shown.Text, shown.Details = source.Scrub(f.Text), source.Scrub(f.Details)
	return &shown
}

// withoutSecrets redacts the URL of a steps.Source and keeps the fields that this program
// does not know. A source without secrets stays as it is, byte for byte.
func withoutSecrets(raw json.RawMessage) json.RawMessage {
	var s steps.Source
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &s) != nil || json.Unmarshal(raw, &fields) != nil || !s.URL.HasSecrets() {
		return raw
	}
	// Marshalling a string cannot fail, nor can valid JSON.
	fields["url"], _ = json.Marshal(s.URL)
	shown, _ := json.Marshal(fields)
	return shown
}
