package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// priorityHandler writes plain lines for systemd's journal: without a time,
// which the journal has, and with the level as the prefix it understands.
type priorityHandler struct {
	slog.Handler
	line *prefixed
}

func newPriorityHandler(w io.Writer) slog.Handler {
	p := &prefixed{w: w}
	return priorityHandler{line: p, Handler: slog.NewTextHandler(p, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})}
}

func (h priorityHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.priority = priority(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h priorityHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return priorityHandler{h.Handler.WithAttrs(attrs), h.line}
}

func (h priorityHandler) WithGroup(name string) slog.Handler {
	return priorityHandler{h.Handler.WithGroup(name), h.line}
}

// priority is syslog's number for a level.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// prefixed writes each line behind the priority of the current record.
type prefixed struct {
	mu       sync.Mutex
	priority string
	w        io.Writer
}

func (p *prefixed) Write(b []byte) (int, error) {
	if _, err := p.w.Write(bytes.Join([][]byte{[]byte(p.priority), b}, nil)); err != nil {
		return 0, err
	}
	return len(b), nil
}
