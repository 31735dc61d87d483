package engine

import (
	"log/slog"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/steps"
)

// Config has the parts of an Engine. All fields without a default must be set.
type Config struct {
	Journal  Journal
	Versions Versions
	// Data may be nil: then no version asks for anything to be done with it.
	Data    Data
	Keeper  Keeper
	Gate    Gate
	Starter Starter
	Steps   map[steps.Name]steps.Step
	Clock   clock.Clock
	Log     *slog.Logger
	// Program may be nil: then no version carries an updater.
	Program Program
	// Memory may be nil: then nothing is remembered of what an earlier process has
	// shown.
	Memory Memory
	// OutOfMemory reports whether the kernel ended the updater before this one because
	// memory was short; it is asked once at a daemon's start. nil knows of none.
	OutOfMemory func() bool
	// Budget is how many boots and daemon starts a state from Switching on may
	// cost; default 2.
	Budget int
	// Attempts is how often Verify, Extract and Stage are begun, restarts after
	// a cut included, before the update fails; default 5. Download is not
	// bounded: it makes progress each time.
	Attempts int
	// TrustWindow is how long a verified bundle may wait for its install
	// request; default 24 h.
	TrustWindow time.Duration
	// Patience bounds the steps that wait for others; zero bounds none.
	Patience Patience
	// Everywhere is who is told the end of each update: "device-api", or nobody.
	Everywhere []string
	// Probation is how long a version that came by an offer is watched after its commit;
	// 0 is not at all. Reached reports whether its source was reached in the last day; nil
	// says that it was not.
	Probation time.Duration
	Reached   func(source string) bool
	// Trust is the status line that says whom the device trusts; it reads memory
	// only. nil says nothing.
	Trust func() string
}

func (cfg Config) withDefaults() Config {
	if cfg.Budget <= 0 {
		cfg.Budget = 2
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 5
	}
	if cfg.Memory == nil {
		cfg.Memory = noMemory{}
	}
	if cfg.OutOfMemory == nil {
		cfg.OutOfMemory = func() bool { return false }
	}
	if cfg.Reached == nil {
		cfg.Reached = func(string) bool { return false }
	}
	if cfg.Trust == nil {
		cfg.Trust = func() string { return "" }
	}
	if cfg.TrustWindow <= 0 {
		cfg.TrustWindow = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}
