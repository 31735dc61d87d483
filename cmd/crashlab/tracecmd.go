//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

func traceCommand() *cobra.Command {
	var dir, at, fault string
	var torn bool
	cmd := &cobra.Command{
		Use:   "trace --dir DIR -- PROGRAM...",
		Short: "list the calls of any program that change a directory; cut or fail one",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			faults := map[string]unix.Errno{"ENOSPC": unix.ENOSPC, "EIO": unix.EIO, "": 0}
			e, ok := faults[fault]
			if !ok {
				return fmt.Errorf("%q is neither ENOSPC nor EIO", fault)
			}
			var namer trace.Namer
			exit, err := trace.Watch(cmd.Context(), trace.Config{Dir: dir, Handler: func(c *trace.Call) trace.Verdict {
				name := namer.Name(c)
				fmt.Println(name)
				if name != at {
					return trace.Verdict{}
				}
				return trace.Verdict{Cut: e == 0, Torn: torn, Errno: e}
			}}, trace.Command{Args: args, Env: os.Environ(), Stdout: "/dev/stderr", Stderr: "/dev/stderr"})
			if errors.Is(err, trace.ErrPower) {
				fmt.Println("cut")
				return nil
			}
			if err == nil {
				fmt.Println("exit", exit)
			}
			return err
		},
	}
	p := cmd.Flags()
	p.StringVar(&dir, "dir", "", "the `directory` that is watched")
	p.StringVar(&at, "at", "", "cut the power before this `call`, by its name")
	p.StringVar(&fault, "errno", "", "make that call fail with ENOSPC or EIO instead")
	p.BoolVar(&torn, "torn", false, "let half of it through, when it is a write")
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}
