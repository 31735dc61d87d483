package main

// This file owns everything the program writes for people. Its rules:
//
//   - what was asked for goes to standard output, everything else to standard error
//   - no capitals at the beginning, no full stop at the end
//   - an error says what failed, on which path or URL, and what to do
//   - colour and moving bars on a terminal only, and never with NO_COLOR or TERM=dumb
//   - plain ASCII: a serial console in a rescue shell may be all there is
//   - with --json, standard output is one JSON document, or one a line for a stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/tope/updater/cmd/internal/timeline"
)

type terminal struct {
	out, err io.Writer
	json     bool
	// live is set when standard output is a terminal that can move its cursor.
	live   bool
	colour bool
	// broken is the first error of a write to out; later ones are not tried.
	broken error
}

func newTerminal(out, err *os.File) *terminal {
	live := term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb"
	return &terminal{out: out, err: err, live: live, colour: live && os.Getenv("NO_COLOR") == ""}
}

// answer prints v with --json, else what human says. It returns write errors:
// a full disk behind a redirection must not look like an answer.
func (t *terminal) answer(v any, human func(*terminal)) error {
	if !t.json {
		human(t)
		return t.broken
	}
	return t.document(v)
}

// document prints one JSON document.
func (t *terminal) document(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// changed prints v as one line of JSON, for streams, unless the line is the same
// as last. It returns the line to compare the next one with.
func (t *terminal) changed(v any, last []byte) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil || bytes.Equal(line, last) {
		return last, err
	}
	t.write(string(line) + "\n")
	return line, t.broken
}

// say prints one line.
func (t *terminal) say(format string, args ...any) {
	t.write(fmt.Sprintf(format, args...) + "\n")
}

func (t *terminal) write(s string) {
	if t.broken == nil {
		_, t.broken = io.WriteString(t.out, s)
	}
}

// note prints one line beside the answer.
func (t *terminal) note(format string, args ...any) {
	_, _ = fmt.Fprintf(t.err, format+"\n", args...)
}

// table prints rows in columns; the first row is the heading.
func (t *terminal) table(rows ...[]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
	for i, l := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		l = strings.TrimRight(l, " ")
		if i == 0 {
			l = t.paint(timeline.Faint, l)
		}
		t.write(l + "\n")
	}
}

// paint colours s by its meaning.
func (t *terminal) paint(c timeline.Colour, s string) string {
	code := map[timeline.Colour]string{
		timeline.Good: "32", timeline.Bad: "31", timeline.Warn: "33", timeline.Faint: "2", timeline.Strong: "1",
	}[c]
	if !t.colour || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// fail reports the error that ends the program.
func (t *terminal) fail(err error) {
	if t.json {
		_ = json.NewEncoder(t.err).Encode(struct {
			Error string `json:"error"`
			Exit  int    `json:"exit"`
		}{err.Error(), exitCode(err)})
		return
	}
	t.note("tope-updater: %s", err)
}
