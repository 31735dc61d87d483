package main

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/manualtest"
)

var update = flag.Bool("update", false, "write the man pages and completions anew")

const docs = "../../docs"

func TestManPagesAndCompletionsAreFresh(t *testing.T) {
	cmd := (&app{term: &terminal{out: io.Discard, err: io.Discard}}).command()
	manualtest.Fresh(t, cmd, docs, *update)
}

// The page of the command line has every verb, in both languages.
func TestTheManualHasEveryVerb(t *testing.T) {
	cmd := (&app{term: &terminal{out: io.Discard, err: io.Discard}}).command()
	for _, page := range []string{docs + "/command-line.md", docs + "/zh/command-line.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, c := range cmd.Commands() {
			require.True(t, c.Hidden || strings.Contains(string(text), "`"+c.Name()), "%s does not tell of the verb %s", page, c.Name())
		}
	}
}
