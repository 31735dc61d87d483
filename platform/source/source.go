// Package source judges where a bundle comes from. The API, the engine and the
// Download step all ask it, so that a source which one of them accepts can be
// read by the others.
//
// A source is an http or https URL, a file URL of this device, or a bare
// absolute path. Parse says which of these it is, or why it is refused; it opens
// nothing and looks at no disk. A URL may have secrets in it, so it is of the type URL,
// which cannot be printed with them; Scrub takes them out of text that others have made.
//
// To add a kind of source, add a row to schemes, and to the table in
// steps/download/source.go what reads it.
package source

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// MaxURL is the longest source, in bytes.
const MaxURL = 8 << 10

// Location is where a bundle is: at a web server, or in a local file. It has no secrets.
type Location struct {
	// Host is the web server, with its port where the URL has one; empty for a file.
	Host string
	// Place is the URL at the web server without user info, query and fragment.
	Place string
	// Path is a local file's path: absolute and clean.
	Path string
}

// Web reports whether it is at a web server.
func (l Location) Web() bool { return l.Host != "" }

// Error says why no bundle can come from a source, and what to write instead.
type Error struct{ What, Hint string }

func (e *Error) Error() string { return e.What + "; " + e.Hint }

// scheme is one kind of URL: its name, and the function that makes a Location of it.
type scheme struct {
	name   string
	locate func(shown string, u *url.URL) (Location, error)
}

func schemes() []scheme {
	return []scheme{
		{"http", web},
		{"https", web},
		{"file", file},
	}
}

// Parse judges the source. Its errors are of type *Error.
func (u URL) Parse() (Location, error) {
	raw := u.Unredacted()
	switch {
	case raw == "":
		return Location{}, &Error{"no bundle was named", "give its URL or its absolute path"}
	case len(raw) > MaxURL:
		return Location{}, &Error{fmt.Sprintf("the URL is longer than %d bytes", MaxURL), "give a shorter one"}
	case strings.ContainsFunc(raw, unicode.IsControl):
		return Location{}, &Error{"the URL has a control character", "write it as %XX, and rename a file whose name has one"}
	case path.IsAbs(raw):
		return Location{Path: path.Clean(raw)}, nil
	}
	parsed, err := url.Parse(raw)
	if err != nil {
		// The reason may quote a part of the URL that is the password's.
		return Location{}, &Error{"the URL cannot be parsed", "check its host and port, and write unusual characters as %XX"}
	}
	for _, s := range schemes() {
		if s.name == parsed.Scheme {
			return s.locate(u.Redacted(), parsed)
		}
	}
	return Location{}, &Error{
		fmt.Sprintf("%q is neither an http, https or file URL nor an absolute path", u.Redacted()),
		"write it like https://HOST/PATH or /PATH",
	}
}

// web takes a URL of a web server. The user and password in it are sent there.
func web(shown string, u *url.URL) (Location, error) {
	if u.Hostname() == "" {
		return Location{}, &Error{fmt.Sprintf("%q names no host", shown), "write it like " + u.Scheme + "://HOST/PATH"}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return Location{}, &Error{fmt.Sprintf("%q has port %s", shown, port), "ports are from 1 to 65535"}
		}
	}
	return Location{Host: u.Host, Place: u.Scheme + "://" + u.Host + u.EscapedPath()}, nil
}

// file takes a file URL of this device (RFC 8089): without a host, or with
// localhost. A file's name has no query or fragment: its ? or # was not escaped.
func file(shown string, u *url.URL) (Location, error) {
	refuse := func(what, hint string) (Location, error) {
		return Location{}, &Error{fmt.Sprintf("%q %s", shown, what), hint}
	}
	switch {
	case u.User != nil || u.Host != "" && !strings.EqualFold(u.Host, "localhost"):
		return refuse("is not a file of this device", "write file:///PATH, or mount the other host's directory")
	case !path.IsAbs(u.Path):
		return refuse("is not the URL of an absolute path", "write file:///PATH")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return refuse("has a query or a fragment, which files do not have", "write ? as %3F and # as %23")
	case strings.ContainsFunc(u.Path, unicode.IsControl):
		return refuse("has a control character", "rename the file")
	}
	return Location{Path: path.Clean(u.Path)}, nil
}
