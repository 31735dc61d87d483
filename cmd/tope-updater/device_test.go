package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// With --root D, D is the device: its own configuration counts, and not the one of the
// system on which the verb is run. A file that --config names is this system's.
func TestEveryVerbReadsTheConfigurationOfItsDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	// args are what a verb demands; without is a verb that looks at no device.
	args := map[string][]string{
		"install": {file}, "quarantine clear": {"1.0.0"}, "keys update": {file, file}, "trust forget": {"--why", "sold"}, "token create": {"ci", "--scope", "read"}, "token revoke": {"ci"}, "journal show": {"0000"},
	}
	without := []string{"demo", "version", "journal graph"}
	for _, verb := range verbs(t) {
		t.Run(verb, func(t *testing.T) {
			root := t.TempDir()
			mistaken := func(path, key string) string {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte("[http]\n"+key+" = 1\n"), 0o644))
				return path
			}
			// It fails, and says so or, as doctor does, finds it.
			ask := func(flags ...string) string {
				// A verb that goes past its configuration ends at once.
				ctx, end := context.WithCancel(t.Context())
				end()
				said, err := execute(ctx, append(append(flags, strings.Fields(verb)...), args[verb]...)...)
				require.Error(t, err)
				return said + err.Error()
			}
			// The directory leads elsewhere, as the device sees it.
			require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
			require.NoError(t, os.Symlink("/data/settings", filepath.Join(root, "etc/tope-updater")))
			ofDevice := mistaken(filepath.Join(root, "data/settings/config.toml"), "of_the_device")
			given := mistaken(filepath.Join(t.TempDir(), "given.toml"), "given")
			for _, w := range without {
				if w == verb {
					return
				}
			}
			require.Contains(t, ask("--root", root), ofDevice+":2: unknown key http.of_the_device")
			require.Contains(t, ask("--root", root, "--config", given), given+":2: unknown key http.given")
		})
	}
}

// verbs are all that do something, "journal list" as well as "status".
func verbs(t *testing.T) (names []string) {
	t.Helper()
	var walk func(c *cobra.Command, prefix string)
	walk = func(c *cobra.Command, prefix string) {
		for _, sub := range c.Commands() {
			if sub.HasSubCommands() {
				walk(sub, prefix+sub.Name()+" ")
			} else if sub.Name() != "help" && sub.Name() != "completion" {
				names = append(names, prefix+sub.Name())
			}
		}
	}
	walk((&app{term: &terminal{}}).command(), "")
	require.Contains(t, names, "journal list")
	return names
}

// execute runs the program's command line in this process, and returns what it prints.
func execute(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	ctx, end := context.WithCancel(ctx)
	defer end()
	cmd := (&app{term: &terminal{out: &out, err: &out}, end: end}).command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}
