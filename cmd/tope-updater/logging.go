package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/journald"
	"github.com/tope/updater/platform/printable"
)

// Formats of the log.
const (
	logAuto    = "auto"
	logText    = "text"
	logJSON    = "json"
	logJournal = "journal"
)

func logFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "log-format", logAuto, "log as text, json or journal (fields for systemd's journal); auto: as fits standard error")
}

// logger is where the daemon logs: fields under systemd, colourful on a
// terminal, plain lines otherwise.
func (t *terminal) logger(format string) (*slog.Logger, error) {
	f, isFile := t.err.(*os.File)
	switch format {
	case logAuto:
		switch {
		case t.underJournal():
			return slog.New(newFieldsHandler(&journald.Conn{}, t.err)), nil
		case isFile && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb":
			return slog.New(tint.NewTextHandler(f, &tint.Options{TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != "", ReplaceAttr: oneLine})), nil
		}
		return slog.New(slog.NewTextHandler(t.err, nil)), nil
	case logText:
		return slog.New(slog.NewTextHandler(t.err, nil)), nil
	case logJSON:
		return slog.New(slog.NewJSONHandler(escaping{t.err}, nil)), nil
	case logJournal:
		return slog.New(newFieldsHandler(&journald.Conn{}, t.err)), nil
	}
	return nil, usagef("--log-format %q: want auto, text, json or journal", format)
}

// oneLine cleans a message, which tint prints as it is; it quotes the attributes.
func oneLine(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.MessageKey {
		a.Value = slog.StringValue(printable.Line(a.Value.String()))
	}
	return a
}

// escaping writes JSON in which no text commands a terminal.
type escaping struct{ w io.Writer }

func (e escaping) Write(line []byte) (int, error) {
	if _, err := e.w.Write(printable.JSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// underJournal says whether standard error leads to systemd's journal.
func (t *terminal) underJournal() bool {
	f, ok := t.err.(*os.File)
	return ok && journald.IsStream(f, os.Getenv("JOURNAL_STREAM"))
}

// fieldsHandler hands each record to systemd's journal with its attributes as fields.
// A record that the journal does not take goes to standard error as a line. A line
// that standard error does not take is lost: an update never waits for its log.
type fieldsHandler struct {
	conn  *journald.Conn
	lines slog.Handler // for the fallback, and, into text, for the message
	attrs []slog.Attr
}

func newFieldsHandler(conn *journald.Conn, fallback io.Writer) slog.Handler {
	return fieldsHandler{conn: conn, lines: newPriorityHandler(newPatient(fallback))}
}

// Enabled implements slog.Handler.
func (h fieldsHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// WithAttrs implements slog.Handler.
func (h fieldsHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.lines = h.lines.WithAttrs(attrs)
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

// WithGroup implements slog.Handler. Nobody here logs in groups.
func (h fieldsHandler) WithGroup(string) slog.Handler { return h }

// Handle implements slog.Handler.
func (h fieldsHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.conn.Send(h.fields(r)) == nil {
		return nil
	}
	return h.lines.Handle(ctx, r)
}

func (h fieldsHandler) fields(r slog.Record) []journald.Field {
	var text strings.Builder
	_, _ = text.WriteString(r.Message)
	fields := []journald.Field{
		{Name: "PRIORITY", Value: strings.Trim(priority(r.Level), "<>")},
		{Name: "SYSLOG_IDENTIFIER", Value: "tope-updater"},
	}
	add := func(a slog.Attr) bool {
		value := a.Value.Resolve().String()
		if name := fieldName(a.Key); name != "" {
			fields = append(fields, journald.Field{Name: name, Value: value})
		}
		if a.Key == "event" {
			if id := messageID(engine.Event(value)); id != "" {
				fields = append(fields, journald.Field{Name: "MESSAGE_ID", Value: id})
			}
			return true
		}
		if strings.ContainsAny(value, " \"=\n") {
			value = `"` + strings.NewReplacer(`"`, `\"`, "\n", "; ").Replace(value) + `"`
		}
		_, _ = text.WriteString(" " + a.Key + "=" + value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	return append(fields, journald.Field{Name: "MESSAGE", Value: printable.Line(text.String())})
}

// fieldName is the name that docs/logs.md promises; other attributes get the same kind of name.
func fieldName(key string) string {
	switch key {
	case "update":
		return "UPDATE_ID"
	case "was":
		return "OLD_STATE"
	case "code":
		return "ERROR_CODE"
	case "err":
		return "ERROR"
	}
	return journald.Name(key)
}

// patient writes without waiting to a reader that may take nothing for a long
// time, such as a journal that hangs. Lines that do not fit the queue are lost.
type patient struct{ queue chan []byte }

func newPatient(w io.Writer) *patient {
	p := &patient{queue: make(chan []byte, 256)}
	// It runs as long as the program, because the log does.
	go func() {
		for line := range p.queue {
			_, _ = w.Write(line)
		}
	}()
	return p
}

func (p *patient) Write(b []byte) (int, error) {
	select {
	case p.queue <- append([]byte(nil), b...):
	default:
	}
	return len(b), nil
}
