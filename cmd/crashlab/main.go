//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/crashlab/internal/device"
	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// errFound ends a run with findings; they have been printed.
var errFound = errors.New("there are violations")

func main() {
	// This program is also every machine's PID 1, init and services.
	trace.Stub()
	device.InitMain()
	device.ServiceMain()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crashlab:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "crashlab",
		Short:         "break a device in every way, and check what is left",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if os.Geteuid() != 0 {
				return errors.New("it needs root, for PID namespaces and seccomp")
			}
			return nil
		},
	}
	cmd.AddCommand(allCommand(), killCommand(), pairsCommand(), errnoCommand(), loseCommand(), plantCommand(), judgeCommand(), traceCommand())
	return cmd
}
