package source

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path"
	"strings"
)

// Hidden stands for each part of a URL that may be a secret.
const Hidden = "…"

// URL is a source as somebody named it: a URL, or an absolute path. It may have secrets
// in it (user info, the values of a query, a fragment), so every way to print or encode
// it gives Redacted: package fmt with any verb, log/slog, JSON and text. Unredacted gives
// all of it; the house tests list who may call that. Decoding keeps what it is given.
//
// The zero value is empty. Two URLs are compared by Equal: == does not compile. A URL
// never changes and is safe for concurrent use.
type URL struct {
	_     [0]func()
	value *string // a pointer: package fmt prints strings in fields without asking
}

// New makes a URL of a text, which Parse judges.
func New(text string) URL { return URL{value: &text} }

// Unredacted is the URL with its secrets.
func (u URL) Unredacted() string {
	if u.value == nil {
		return ""
	}
	return *u.value
}

// Len is its length in bytes, secrets included.
func (u URL) Len() int { return len(u.Unredacted()) }

// Empty reports whether it names nothing.
func (u URL) Empty() bool { return u.Len() == 0 }

// IsZero is Empty, for JSON's omitzero.
func (u URL) IsZero() bool { return u.Empty() }

// Equal reports whether both are the same text, secrets included.
func (u URL) Equal(o URL) bool { return u.Unredacted() == o.Unredacted() }

// HasSecrets reports whether Redacted leaves anything out.
func (u URL) HasSecrets() bool { return u.Redacted() != u.Unredacted() }

// Redacted is the URL for people: scheme, host, path and the names of its query, like
// https://host/r.tope?token=…, and a path as it is. It has no user info, no value of a
// query and no fragment. Where it is not clear which part of a text is a password, all of
// it but its scheme is left out.
func (u URL) Redacted() string { return redacted(u.Unredacted()) }

// String is Redacted.
func (u URL) String() string { return u.Redacted() }

// GoString is Redacted, for %#v.
func (u URL) GoString() string { return u.Redacted() }

// Format prints Redacted for every verb, the wrong ones included.
func (u URL) Format(f fmt.State, verb rune) {
	text := u.Redacted()
	if verb == 'q' {
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(f, text) // fmt reports it to its own caller
}

// LogValue is Redacted.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.Redacted()) }

// MarshalText is Redacted, which JSON uses, too.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.Redacted()), nil }

// UnmarshalText takes the text as it is.
func (u *URL) UnmarshalText(text []byte) error {
	*u = New(string(text))
	return nil
}

// redacted is Redacted of a text.
func redacted(raw string) string {
	if path.IsAbs(raw) {
		return raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "(unreadable URL)"
	case u.Opaque != "", u.Host == "" && u.Scheme != "" && u.Scheme != "file" && strings.Contains(u.Path, "@"):
		return u.Scheme + ":" + Hidden
	case u.User == nil && u.RawQuery == "" && u.Fragment == "":
		return raw
	}
	return Show(u)
}

// WithoutPassword is a URL of the configuration, whose query is part of its name: all of
// it but the password.
func WithoutPassword(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return redacted(raw)
	case u.User == nil:
		return raw
	}
	return u.Redacted()
}

// Show is Redacted of a URL that is parsed already, like the target of a redirect.
func Show(u *url.URL) string {
	if u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return u.String()
	}
	shown := *u
	shown.User, shown.Fragment, shown.RawFragment = nil, "", ""
	shown.RawQuery, shown.ForceQuery = names(u.RawQuery), false
	return shown.String()
}

// names is a query without its values. An item that is not NAME=VALUE with a plain name
// may be a secret as a whole.
func names(query string) string {
	if query == "" {
		return ""
	}
	var out []string
	for item := range strings.SplitSeq(query, "&") {
		name, _, pair := strings.Cut(item, "=")
		switch {
		case !pair || !plain(name):
			item = Hidden
		default:
			item = name + "=" + Hidden
		}
		out = append(out, item)
	}
	return strings.Join(out, "&")
}

// longestName bounds the name of a query's value that is shown, in bytes.
const longestName = 40

func plain(name string) bool {
	return name != "" && len(name) <= longestName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}
