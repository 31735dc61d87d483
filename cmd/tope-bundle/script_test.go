package main

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tope/updater/cmd/internal/manualtest"
)

var update = flag.Bool("update", false, "write the man pages and completions anew")

func TestManPagesAndCompletionsAreFresh(t *testing.T) {
	manualtest.Fresh(t, (&app{out: io.Discard, err: io.Discard}).command(), "../../docs", *update)
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tope-bundle": func() { os.Exit(run(os.Args[1:], os.Stdin)) },
	})
}

// The scripts in testdata/script are the command line's contract. Each says in
// its first line what it guards.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
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
