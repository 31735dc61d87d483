package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the man pages and completions anew")

const docs = "../../docs"

// The man pages and completions in docs are generated from the verbs here,
// rather than by the program, which would carry the generator to every device.
func TestManPagesAndCompletionsAreFresh(t *testing.T) {
	cmd := (&app{term: &terminal{out: io.Discard, err: io.Discard}}).command()
	cmd.DisableAutoGenTag = true
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // of the first release; today would make them stale tomorrow
	fresh := t.TempDir()

	man := filepath.Join(fresh, "man")
	require.NoError(t, os.Mkdir(man, 0o755))
	require.NoError(t, doc.GenManTree(cmd, &doc.GenManHeader{
		Section: "1", Source: "TOP.E Updater", Manual: "TOP.E Updater", Date: &date,
	}, man))

	completions := filepath.Join(fresh, "completions")
	require.NoError(t, os.Mkdir(completions, 0o755))
	for name, write := range map[string]func(*cobra.Command, io.Writer) error{
		"tope-updater.bash": func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) },
		"_tope-updater":     func(c *cobra.Command, w io.Writer) error { return c.GenZshCompletion(w) },
		"tope-updater.fish": func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) },
	} {
		var b bytes.Buffer
		require.NoError(t, write(cmd, &b))
		require.NoError(t, os.WriteFile(filepath.Join(completions, name), b.Bytes(), 0o644))
	}

	for _, dir := range []string{"man", "completions"} {
		want := filepath.Join(docs, dir)
		if *update {
			require.NoError(t, os.RemoveAll(want))
			require.NoError(t, os.CopyFS(want, os.DirFS(filepath.Join(fresh, dir))))
		}
		require.Empty(t, differing(tree(t, filepath.Join(fresh, dir)), tree(t, want)), "docs/%s is stale: go test ./cmd/tope-updater -run ManPages -update", dir)
	}
}

func tree(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
	}
	return files
}

// differing names the files that are not the same in both.
func differing(a, b map[string]string) []string {
	var names []string
	for name, text := range a {
		if b[name] != text {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}
