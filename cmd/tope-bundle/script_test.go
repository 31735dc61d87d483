package main

import (
	"flag"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/manualtest"
)

var update = flag.Bool("update", false, "write the man pages and completions anew")

func TestManPagesAndCompletionsAreFresh(t *testing.T) {
	manualtest.Fresh(t, (&app{out: io.Discard, err: io.Discard}).command(), "../../docs", *update)
}

// The scripts in testdata/script are the command line's contract. Each says in
// its first line what it guards. The program is built as it is shipped: with the
// race detector, the search for patches takes four times as long.
func TestScripts(t *testing.T) {
	program := filepath.Dir(builttest.Program(t, "tope-bundle", builttest.Version))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", program+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": runExit,
		},
	})
}

// runExit is "exit CODE ARG...": the program, with that exit code.
func runExit(ts *testscript.TestScript, _ bool, args []string) {
	got := "0"
	if err := ts.Exec("tope-bundle", args[1:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, not %s", got, args[0])
	}
}
