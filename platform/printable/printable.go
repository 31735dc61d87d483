// Package printable makes text safe to show on a terminal. Names, reasons and errors come
// from bundles, servers and clients, and a terminal obeys what is in them: control
// characters move its cursor, and bidirectional controls turn the order of a line, so
// that it reads as something else. It is the one place that says which characters these are.
package printable

import (
	"strings"
	"unicode"
)

// commands reports whether a terminal, or whatever lays a line out, obeys r instead of
// showing it: control characters (Cc), those that turn the direction (U+061C, U+200E,
// U+202A to U+202E, U+2066 to U+2069 and their kind), and those that end a line or paragraph.
func commands(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// Line is s as one line: each such character is a blank, line feeds and tabs included, and
// what is not UTF-8 is U+FFFD.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if commands(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Lines is s with each of its lines as Line has it.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Line(lines[i])
	}
	return strings.Join(lines, "\n")
}

// IsLine reports whether Line leaves s as it is.
func IsLine(s string) bool { return Line(s) == s }

// JSON is a JSON text of the same meaning in which such characters are escaped (\u202e):
// encoding/json leaves most of them as they are. They can stand in strings only, apart
// from the blanks between values, which stay.
func JSON(text []byte) []byte {
	var out []byte
	from := 0
	for i, r := range string(text) {
		if r < unicode.MaxASCII && r != 0x7f || !commands(r) {
			continue
		}
		out = append(append(out, text[from:i]...), escaped(r)...)
		from = i + len(string(r))
	}
	if out == nil {
		return text
	}
	return append(out, text[from:]...)
}

// escaped is r, which is below U+10000, as JSON escapes it.
func escaped(r rune) string {
	const hex = "0123456789abcdef"
	return `\u` + string([]byte{hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]})
}
