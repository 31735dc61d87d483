// Package secret keeps passwords and tokens out of logs, journals and answers.
//
// A Text holds a secret, and every way to print it gives "(secret)": fmt with any verb,
// log/slog, JSON, TOML and text. Only Reveal gives the secret itself, so a search for
// Reveal finds every place where one leaves the program. A Text that lies deep inside
// another value is as safe: package fmt, which looks into fields that are not exported
// without asking them, finds a pointer there.
//
// Read takes a secret from a file, which is where secrets belong: the configuration is
// often readable for everybody. ReadPrivate refuses a file that others can read, too.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Shown is what stands for a secret wherever one is printed.
const Shown = "(secret)"

// Text is a secret. The zero value is the empty secret. It is safe for concurrent use.
type Text struct{ value *string }

// New makes a secret of s.
func New(s string) Text { return Text{&s} }

// Reveal returns the secret itself.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// Empty reports whether there is no secret in it.
func (t Text) Empty() bool { return t.Reveal() == "" }

// String returns Shown.
func (Text) String() string { return Shown }

// GoString returns Shown, for %#v.
func (Text) GoString() string { return Shown }

// Format prints Shown for every verb, the wrong ones included.
func (Text) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, Shown) // fmt reports it to its own caller
}

// LogValue returns Shown.
func (Text) LogValue() slog.Value { return slog.StringValue(Shown) }

// MarshalText returns Shown, which JSON uses, too. A secret cannot be written back.
func (Text) MarshalText() ([]byte, error) { return []byte(Shown), nil }

// UnmarshalText takes the text as the secret.
func (t *Text) UnmarshalText(text []byte) error {
	*t = New(string(text))
	return nil
}
