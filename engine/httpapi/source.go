package httpapi

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

const (
	maxURL  = 8 << 10
	maxName = 255
)

// checkSource returns why a bundle cannot be meant as it was asked for. What it
// passes is still untrusted: the Download step has its own rules.
func checkSource(s steps.Source, schemes ...string) error {
	if err := checkURL(s.URL, schemes); err != nil {
		return err
	}
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

// checkURL accepts the schemes given; "file" also stands for a bare absolute path.
func checkURL(s string, schemes []string) error {
	if len(s) > maxURL {
		return invalid("the URL is longer than %d bytes", maxURL)
	}
	if strings.HasPrefix(s, "/") && slices.Contains(schemes, "file") && !strings.Contains(s, "\x00") {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return invalid("the URL %s cannot be parsed", quote(s))
	}
	named := u.Hostname() != ""
	if u.Scheme == "file" {
		named = u.Host == "" && path.IsAbs(u.Path)
	}
	if !named || !slices.Contains(schemes, u.Scheme) {
		return invalid("the URL %s must be %s, and complete", quote(s), strings.Join(schemes, " or "))
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

// plainName reports whether s can be a file's name: no path, nothing that a
// terminal or a log would trip over.
func plainName(s string) bool {
	if s == "." || s == ".." || len(s) > maxName || strings.ContainsAny(s, `/\`) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
