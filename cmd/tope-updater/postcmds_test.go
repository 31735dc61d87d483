package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/steps/bundle/bundletest"
)

// A package's commands are allowed or the package is refused; they are never left out
// in silence, also where the updater runs no services.
func TestPostCmdsWhereNobodyRunsServices(t *testing.T) {
	updater := builttest.Updater(t, builttest.Version)
	for name, c := range map[string]struct {
		more string
		exit int
	}{
		"allowed": {"[legacy]\nallow_post_cmds = true\n", 0},
		"refused": {"", exitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d, err := builttest.Services(t).Device(t.Context(), filepath.Join(dir, "device"), fixtures.Release{Version: "1.0.0"},
				fixtures.Options{Manager: "none", More: c.more})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
			left := filepath.Join(dir, "left")
			zip := bundletest.Zip{Entries: []bundletest.Entry{
				bundletest.Manifest("1.1.0", bundletest.Module{Name: "tool", Src: "tool", Dst: "/usr/local/bin/tool", PostCmds: []string{"echo ran >> " + left}}),
				{Name: "tool", Data: []byte("#!/bin/sh\n")},
			}}.Write(t, dir, "tool-1.1.0.zip")
			cmd := exec.Command(updater, "--config", d.Config, "--root", d.Root, "install", zip)
			out, _ := cmd.CombinedOutput()
			require.Equal(t, c.exit, cmd.ProcessState.ExitCode(), "%s", out)
			text, err := os.ReadFile(left)
			if c.exit == 0 {
				require.NoError(t, err)
				require.Equal(t, "ran\n", string(text))
				return
			}
			require.ErrorIs(t, err, os.ErrNotExist)
			require.Contains(t, string(out), "set allow_post_cmds under [legacy] in the configuration")
		})
	}
}
