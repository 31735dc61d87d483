package httpapi

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

const maxName = 255

// checkSource returns an error when a bundle cannot be meant as the request
// names it.
func checkSource(s steps.Source) error {
	if _, err := source.Parse(s.URL); err != nil {
		return invalid("%w", err)
	}
	return checkDeclared(s)
}

// checkWebSource is checkSource for a client that names web servers only.
func checkWebSource(s steps.Source) error {
	l, err := source.Parse(s.URL)
	switch {
	case err != nil:
		return invalid("%w", err)
	case l.Web == nil:
		return invalid("the URL %s must be http or https", quote(source.Redacted(s.URL)))
	}
	return checkDeclared(s)
}

// checkDeclared checks the claims about the bundle beside its URL.
func checkDeclared(s steps.Source) error {
	switch {
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
// characters that upset a terminal or a log.
func plainName(s string) bool {
	if s == "." || s == ".." || len(s) > maxName || strings.ContainsAny(s, `/\`) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// UpdatesWithoutPasswords is updates as people and other programs see them. The
// journal itself keeps the password of a bundle's URL, to download with.
func UpdatesWithoutPasswords(all []journal.Update) []journal.Update {
	all = slices.Clone(all)
	for i := range all {
		all[i].Source = withoutPassword(all[i].Source)
	}
	return all
}

// RecordsWithoutPasswords is records as people and other programs see them.
func RecordsWithoutPasswords(all []journal.Record) []journal.Record {
	all = slices.Clone(all)
	for i, r := range all {
		if r.Accept != nil {
			shown := *r.Accept
			shown.Source = withoutPassword(shown.Source)
			all[i].Accept = &shown
		}
	}
	return all
}

// withoutPassword redacts the URL of a steps.Source and keeps the fields that
// this program does not know. A source without a password stays as it is, byte
// for byte.
func withoutPassword(raw json.RawMessage) json.RawMessage {
	var s steps.Source
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &s) != nil || json.Unmarshal(raw, &fields) != nil || source.Redacted(s.URL) == s.URL {
		return raw
	}
	// Marshalling a string cannot fail, nor can valid JSON.
	fields["url"], _ = json.Marshal(source.Redacted(s.URL))
	shown, _ := json.Marshal(fields)
	return shown
}
