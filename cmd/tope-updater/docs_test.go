package main

import (
	"flag"
	"io"
	"testing"

	"github.com/tope/updater/cmd/internal/manualtest"
)

var update = flag.Bool("update", false, "write the man pages and completions anew")

const docs = "../../docs"

func TestManPagesAndCompletionsAreFresh(t *testing.T) {
	cmd := (&app{term: &terminal{out: io.Discard, err: io.Discard}}).command()
	manualtest.Fresh(t, cmd, docs, *update)
}
