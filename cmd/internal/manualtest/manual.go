// Package manualtest keeps the man pages and completions in docs up to date with a
// program's verbs. A test generates them, rather than the program, which would
// carry the generator to every device.
package manualtest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/require"
)

// Fresh compares the program's pages and completions with those below docs, or
// writes them anew with update.
func Fresh(t *testing.T, cmd *cobra.Command, docs string, update bool) {
	t.Helper()
	cmd.DisableAutoGenTag = true
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // of the first release: with today's date they would be stale tomorrow
	fresh, name := t.TempDir(), cmd.Name()

	man := filepath.Join(fresh, "man")
	require.NoError(t, os.Mkdir(man, 0o755))
	require.NoError(t, doc.GenManTree(cmd, &doc.GenManHeader{
		Section: "1", Source: "TOP.E Updater", Manual: "TOP.E Updater", Date: &date,
	}, man))

	completions := filepath.Join(fresh, "completions")
	require.NoError(t, os.Mkdir(completions, 0o755))
	for file, write := range map[string]func(*cobra.Command, io.Writer) error{
		name + ".bash": func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) },
		"_" + name:     func(c *cobra.Command, w io.Writer) error { return c.GenZshCompletion(w) },
		name + ".fish": func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) },
	} {
		var b bytes.Buffer
		require.NoError(t, write(cmd, &b))
		require.NoError(t, os.WriteFile(filepath.Join(completions, file), b.Bytes(), 0o644))
	}
	for _, dir := range []string{"man", "completions"} {
		want, made := filepath.Join(docs, dir), tree(t, filepath.Join(fresh, dir), name)
		if update {
			for file := range tree(t, want, name) {
				require.NoError(t, os.Remove(filepath.Join(want, file)))
			}
			require.NoError(t, os.CopyFS(want, os.DirFS(filepath.Join(fresh, dir))))
		}
		require.Empty(t, differing(made, tree(t, want, name)), "docs/%s is stale: go test ./cmd/%s -run ManPages -update", dir, name)
	}
}

// tree has the program's files in dir.
func tree(t *testing.T, dir, program string) map[string]string {
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(strings.TrimPrefix(e.Name(), "_"), program) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
	}
	return files
}

// differing names the files that differ between a and b.
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
