package steps

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/platform/printable"
)

const (
	// LongestLine bounds what a line tells of a failure, in bytes. A hint comes in
	// addition: what to do is never cut.
	LongestLine = 160
	// LongestDetails bounds the details of a failure, in bytes. The journal keeps
	// them, and each status shows them.
	LongestDetails = 4 << 10
)

// Detailed is an error that knows more than fits into a line: what a program
// printed, for example.
type Detailed interface {
	error
	Details() string
}

// Tell is the failure for people: one line with what failed and what to do, and the
// details for those who look for them, in several lines or empty. Both are clean:
// they have neither control characters nor bytes that are not UTF-8.
func (e *Error) Tell() (line, details string) {
	what, hint := OneLine(e.Err.Error()), OneLine(e.Hint)
	if hint != "" {
		hint = "; " + hint
	}
	var more []string
	if short := Brief(what, LongestLine); short != what {
		what, more = short, append(more, what)
	}
	for _, text := range []string{e.Details, DetailsOf(e.Err)} {
		if text = Lines(text); text != "" {
			more = append(more, text)
		}
	}
	return what + hint, clip(strings.Join(more, "\n"), LongestDetails)
}

// Brief is a text of at most limit bytes. What it begins with says what failed, and what
// it ends with says why: the middle goes. A beginning that takes more than half of the
// limit ("cannot download", and a long URL) is only a circumstance, and goes first.
func Brief(s string, limit int) string {
	for len(s) > limit {
		first, rest, ok := strings.Cut(s, ": ")
		if !ok || len(first) <= limit/2 || len(rest) < limit/2 {
			return Shorten(s, limit)
		}
		s = rest
	}
	return s
}

// Line is a line of at most limit bytes that tells of a service: how it stands, as
// much of its last words as there is room for, and what to know besides. What is cut is cut
// at its end: a state begins with what failed and how.
func Line(state, lastWords, besides string, limit int) string {
	const gap, worthwhile = "...", 20
	cut := func(s string, limit int) string {
		if len(s) <= limit {
			return s
		}
		return strings.TrimRight(clip(s, max(0, limit-len(gap))), " ") + gap
	}
	room := limit - len(besides)
	line := cut(state, room)
	if room -= len(line) + len(": "); lastWords != "" && room >= min(len(lastWords), worthwhile) {
		line += ": " + cut(lastWords, room)
	}
	return line + besides
}

// DetailsOf returns the details that an error has with it; empty for none.
func DetailsOf(err error) string {
	var d Detailed
	if errors.As(err, &d) {
		return d.Details()
	}
	return ""
}

// OneLine makes one clean line of a text.
func OneLine(s string) string { return strings.Join(strings.Fields(printable.Line(s)), " ") }

// Lines cleans a text line by line, and leaves out empty lines.
func Lines(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimRight(printable.Line(line), " "); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// Shorten makes a text at most limit bytes long. It leaves out the middle: a
// failure begins with what was done, and ends with why it did not work.
func Shorten(s string, limit int) string {
	const gap = "..."
	if len(s) <= limit {
		return s
	}
	tail := (limit - len(gap)) / 2
	from := len(s) - tail
	for from < len(s) && !utf8.RuneStart(s[from]) {
		from++
	}
	return strings.TrimRight(clip(s, limit-len(gap)-tail), " ") + gap + s[from:]
}

// clip is the beginning of a text, at most so many bytes of it.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
