// Command demo-fleet plays a fleet of twelve devices; see package fleetdemo. It looks for
// the programs beside itself, where "make demo-fleet" puts them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/fleetdemo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo-fleet:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be undone
	}
}

func run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	dir := filepath.Dir(self)
	programs, err := fixtures.Prebuilt(dir)
	if err != nil {
		return fmt.Errorf("cannot read the services' programs: %w; \"make demo-fleet\" builds them", err)
	}
	return fleetdemo.Run(ctx, fleetdemo.Options{
		Updater: filepath.Join(dir, "tope-updater"), Bundle: filepath.Join(dir, "tope-bundle"), Programs: programs,
		Out: os.Stdout, Heading: heading(),
	})
}

// heading makes a line bold on a terminal.
func heading() func(string) string {
	if info, err := os.Stdout.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("NO_COLOR") != "" {
		return func(s string) string { return s }
	}
	return func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
}
