// Command tope-bundle is the publisher's program: it makes keys, packs a
// directory into a signed bundle, and tells what is in one. It never runs on a
// device.
//
// This package is thin: each verb is one short file, root.go lists them,
// terminal.go owns the text for people and the exit codes. Package
// steps/bundle/pack makes and reads bundles.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin)) }

// run is main with a return value, so that tests can be the program.
func run(args []string, in *os.File) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: os.Stdout, err: os.Stderr}
	cmd := a.command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err != nil {
		a.fail(err)
	}
	return exitCode(err)
}
