// Command tope-updater replaces the application software of a device,
// unattended, so that a power cut at any instant leaves the device running one
// whole version.
//
// This package is thin. Start at root.go, which lists the verbs; each verb is
// one short file. What they share:
//
//   - session.go finds the daemon, or works in-process when there is none: a
//     verb does the same either way
//   - device.go has the configuration and the paths, which every verb needs
//   - parts.go has the parts of an engine, and says in which file each part is
//     put together; updater.go starts an engine, serve.go keeps one going
//   - terminal.go owns everything that is written for people
//   - exit.go is the one place that turns errors into exit codes
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main with a return value, so that tests can be the program.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal is swallowed: what the first one has begun is not cut short.
	ctx, end := context.WithCancel(ctx)
	defer end()
	a := &app{term: newTerminal(os.Stdout, os.Stderr), end: end}
	cmd := a.command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		a.term.fail(err)
	}
	return exitCode(err)
}
