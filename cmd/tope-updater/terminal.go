package main

// This file owns everything the program writes for people. Its rules:
//
//   - what was asked for goes to standard output, everything else to standard error
//   - no capitals at the beginning, no full stop at the end
//   - an error says what failed, on which path or URL, and what to do
//   - colour and moving bars on a terminal only, and never with NO_COLOR or TERM=dumb
//   - foreign text (names, reasons, errors) commands no terminal: all but the own colours
//     and bars goes through package printable
//   - plain ASCII: a serial console in a rescue shell may be all there is
//   - with --json, standard output is one JSON document, or one a line for a stream

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/printable"
)

type terminal struct {
	out, err io.Writer
	json     bool
	// live is set when standard output is a terminal that can move its cursor.
	live bool
	// mark stands for ESC [ of a colour until a text is written. It is random, so that no
	// foreign text has it; empty without colours.
	mark string
	// broken is the first error of a write to out; later ones are not tried.
	broken error
}

func newTerminal(out, err *os.File) *terminal {
	t := &terminal{out: out, err: err, live: term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb"}
	if t.live && os.Getenv("NO_COLOR") == "" {
		t.mark = rand.Text()
	}
	return t
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
	return encode(t.out, "  ", v)
}

// encode writes one line of JSON, or with an indent one document.
func encode(w io.Writer, indent string, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(text.Bytes()))
	return err
}

// changed prints v as one line of JSON, for streams, unless the line is the same
// as last. It returns the line to compare the next one with.
func (t *terminal) changed(v any, last []byte) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil || bytes.Equal(line, last) {
		return last, err
	}
	t.raw(string(printable.JSON(line)) + "\n")
	return line, t.broken
}

// say prints one line.
func (t *terminal) say(format string, args ...any) {
	t.raw(t.shown(printable.Line, fmt.Sprintf(format, args...)) + "\n")
}

// write prints lines.
func (t *terminal) write(s string) { t.raw(t.shown(printable.Lines, s)) }

// shown is a text as it is printed: cleaned, with the colours of paint.
func (t *terminal) shown(clean func(string) string, s string) string {
	if t.mark == "" {
		return clean(s)
	}
	var shown strings.Builder
	for i, part := range strings.Split(s, t.mark) {
		code, text, painted := strings.Cut(part, "m")
		if i == 0 || !painted {
			_, _ = shown.WriteString(clean(part))
			continue
		}
		_, _ = shown.WriteString("\x1b[" + code + "m" + clean(text))
	}
	return shown.String()
}

// raw prints what commands the terminal.
func (t *terminal) raw(s string) {
	if t.broken == nil {
		_, t.broken = io.WriteString(t.out, s)
	}
}

// note prints one line beside the answer.
func (t *terminal) note(format string, args ...any) {
	_, _ = io.WriteString(t.err, t.shown(printable.Line, fmt.Sprintf(format, args...))+"\n")
}

// interrupted tells what becomes of an update whose command is interrupted.
func (t *terminal) interrupted(st engine.Status) {
	u := st.Update
	if u == nil || engine.Terminal(u.State) {
		return
	}
	if engine.Switched(u.State) {
		t.note("ending in order: services that were stopped are started again; do not kill it")
	}
	t.note("update %s stays in %s; \"tope-updater recover --finish\" goes on with it, and so does the daemon when it starts", u.ID, u.State)
}

// table prints rows in columns; the first row is the heading, and all are as long.
func (t *terminal) table(rows ...[]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			r[i] = printable.Line(cell)
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, r := range rows {
		line := ""
		for i, cell := range r {
			line += cell + strings.Repeat(" ", width[i]+2-utf8.RuneCountInString(cell))
		}
		line = strings.TrimRight(line, " ")
		if n == 0 {
			line = t.paint(timeline.Faint, line)
		}
		t.write(line + "\n")
	}
}

// paint colours s by its meaning.
func (t *terminal) paint(c timeline.Colour, s string) string {
	code := map[timeline.Colour]string{
		timeline.Good: "32", timeline.Bad: "31", timeline.Warn: "33", timeline.Faint: "2", timeline.Strong: "1",
	}[c]
	if t.mark == "" || code == "" {
		return s
	}
	return t.mark + code + "m" + s + t.mark + "0m"
}

// fail reports the error that ends the program.
func (t *terminal) fail(err error) {
	if t.json {
		_ = encode(t.err, "", struct {
			Error string `json:"error"`
			Exit  int    `json:"exit"`
		}{err.Error(), exitCode(err)})
		return
	}
	_, _ = io.WriteString(t.err, printable.Lines("tope-updater: "+err.Error()+"\n"))
}
