package service

import (
	"context"
	"log/slog"
	"sync"
)

// Hold puts off an orderly shutdown from the moment services are stopped, by one
// step, to the moment they have been started again, by a later one.
// It is a courtesy, never a condition: a shutdown that does not wait is a power
// cut like any other. All methods are safe for concurrent use, and do nothing on nil.
type Hold struct {
	manager Manager
	log     *slog.Logger

	mu      sync.Mutex
	release func()
}

// NewHold returns a hold that is not taken.
func NewHold(m Manager, log *slog.Logger) *Hold { return &Hold{manager: m, log: log} }

// Take puts the shutdown off; it does nothing when it is put off already.
func (h *Hold) Take(ctx context.Context, why string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.release != nil {
		return
	}
	release, err := h.manager.Inhibit(ctx, why)
	if err != nil {
		h.log.Debug("a shutdown would not wait for the switch", "err", err)
		return
	}
	h.release = release
}

// Release lets the shutdown go on.
func (h *Hold) Release() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.release != nil {
		h.release()
		h.release = nil
	}
}
