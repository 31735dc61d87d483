package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/bundletest"
)

// ran runs the verbs in this process: there are many of them.
func ran(args ...string) (said string, exit int) {
	var out bytes.Buffer
	a := &app{in: os.Stdin, out: &out, err: &out}
	cmd := a.command()
	cmd.SetArgs(args)
	err := cmd.Execute()
	if err != nil {
		a.fail(err)
	}
	return out.String(), exitCode(err)
}

// What the device says of packages as people make them, verify and convert say, too: see
// the test of the same name in steps/verify.
func TestAsPeopleMakeThem(t *testing.T) {
	for _, g := range bundletest.People(t) {
		t.Run(g.Name, func(t *testing.T) {
			made := filepath.Join(t.TempDir(), "made.tope")
			verified, exit := ran("-q", "verify", g.Path, "--any-signature")
			converted, exit2 := ran("-q", "convert", "--unsigned", g.Path, "--product", "printer", "--level", "1", "-o", made)
			if g.Code == "" {
				require.Zero(t, exit, verified)
				require.Contains(t, verified, "1.2.3")
				require.Zero(t, exit2, converted)
				said, exit := ran("-q", "verify", made, "--any-signature")
				require.Zero(t, exit, said)
				return
			}
			require.Equal(t, 10, exit, verified)
			require.Contains(t, verified, g.Says)
			require.Equal(t, 10, exit2, converted)
			require.Contains(t, converted, g.Says)
			require.NoFileExists(t, made)
		})
	}
}

// A legacy package is judged for devices that have a release, too.
func TestALegacyPackageForDevicesThatHaveARelease(t *testing.T) {
	zip := bundletest.App(bundletest.Entry{Name: "app/run", Data: []byte("#!/bin/sh\n")}).Write(t, t.TempDir(), "app.zip")
	for from, says := range map[string]string{"1.1.0": "", "1.2.0": "is there already", "1.3.0": "would be a step back from 1.3.0"} {
		said, exit := ran("-q", "verify", zip, "--any-signature", "--from", from)
		require.Equal(t, says != "", exit == 10, said)
		require.Contains(t, said, says)
	}
	said, exit := ran("-q", "verify", zip, "--any-signature", "--epoch", "1")
	require.Equal(t, 10, exit, said)
	said, exit = ran("-q", "verify", zip, "--any-signature", "--from", "1.3.0", "--force")
	require.Zero(t, exit, said)
}

// What a version will not have of a legacy package is told before a device installs it.
func TestWhatAVersionWillNotHaveIsTold(t *testing.T) {
	zip := bundletest.App(
		bundletest.Entry{Name: "app/", Mode: bundletest.Directory | 0o2000, Store: true},
		bundletest.Entry{Name: "app/run", Data: []byte("#!/bin/sh\n")},
	).Write(t, t.TempDir(), "app.zip")
	for _, args := range [][]string{
		{"verify", zip, "--any-signature"},
		{"convert", "--unsigned", zip, "--product", "printer", "--level", "1", "-o", filepath.Join(t.TempDir(), "made.tope")},
	} {
		said, exit := ran(args...)
		require.Zero(t, exit, said)
		require.Contains(t, said, `warning: left out: setuid, setgid or sticky bits of "app"`)
	}
}
