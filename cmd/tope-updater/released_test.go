package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/versions"
)

// released has the files that every release has written in its formats; see its README.md.
const released = "../../testdata"

// perform runs the program as a user does, in UTC, and returns its output.
func perform(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "tope-updater", args...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	require.NoError(t, err)
	require.Equal(t, code, cmd.ProcessState.ExitCode(), "%s\n%s%s", strings.Join(args, " "), out.String(), said.String())
	return out.String()
}

// unpacked is the content of a file that is kept compressed.
func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	return b
}

// Every journal that a release has written is read: its story is the golden text
// beside it, and its records are the bytes that were written.
func TestJournalsOfEveryRelease(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(released, "journals/*/*.db.gz"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3)
	for _, file := range files {
		name := strings.TrimSuffix(file, ".db.gz")
		t.Run(strings.TrimPrefix(name, released+"/journals/"), func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "journal.db")
			content := unpacked(t, file)
			require.NoError(t, os.WriteFile(db, content, 0o600))
			for golden, args := range map[string][]string{
				"list": {"list"}, "show": {"show", "--all"}, "verify": {"verify"},
			} {
				got := perform(t, 0, append([]string{"journal", "--file", db}, args...)...)
				path := name + "." + golden + ".txt"
				if *update {
					require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				}
				want, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, string(want), got, "if it is right: go test ./cmd/tope-updater -run EveryRelease -update")
			}
			// The golden records never change; -update does not touch them.
			require.Equal(t, string(unpacked(t, name+".jsonl.gz")), perform(t, 0, "journal", "--file", db, "export"))
			after, err := os.ReadFile(db)
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, after), "reading changes nothing")
		})
	}
}

// A device continues a journal that an earlier release has written: its open
// update is finished, and the next one is taken.
func TestAJournalOfEveryReleaseIsGoneOnFrom(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(released, "journals/*/*.db.gz"))
	require.NoError(t, err)
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, released+"/journals/"), func(t *testing.T) {
			d := newDevice(t, "1.0.0")
			require.NoError(t, fixtures.Stubs().Install(t.Context(), d, fixtures.Release{Version: "0.9.0"}))
			require.NoError(t, d.Store.Point(versions.Previous, "0.9.0"))
			db := filepath.Join(d.Root, "var/lib/tope-updater/journal.db")
			require.NoError(t, os.MkdirAll(filepath.Dir(db), 0o755))
			require.NoError(t, os.WriteFile(db, unpacked(t, file), 0o600))
			bundles := filepath.Join(released, "bundles", filepath.Base(filepath.Dir(file)))
			on := []string{"--config", d.Config, "--root", d.Root}
			perform(t, 0, append(on, "recover", "--finish")...)
			if strings.HasSuffix(file, "/interrupted.db.gz") {
				// What was open is a signed release, and is committed: without its key the
				// device takes nothing more.
				perform(t, 10, append(on, "install", filepath.Join(bundles, "1.1.0.tope"))...)
			}
			putKey(t, d, bundles)
			perform(t, 0, append(on, "install", "--retry", filepath.Join(bundles, "1.1.0.tope"))...)
			list := perform(t, 0, append(on, "journal", "list")...)
			require.Regexp(t, `install +1.0.0 +1.1.0 +Committed`, strings.SplitN(list, "\n", 3)[1])
			if strings.HasSuffix(file, "/interrupted.db.gz") {
				require.Regexp(t, `install +0.9.0 +1.0.0 +Committed`, list, "what was open is finished")
			}
			require.Contains(t, perform(t, 0, append(on, "journal", "verify")...), "the journal is whole")
		})
	}
}

// putKey gives a device the key that has signed the bundles of a release.
func putKey(t *testing.T, d *fixtures.Device, bundles string) {
	t.Helper()
	keys := filepath.Join(d.Root, "etc/tope-updater/keys")
	require.NoError(t, os.Mkdir(keys, 0o755))
	pub, err := os.ReadFile(filepath.Join(bundles, "test.pub"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(keys, "test.pub"), pub, 0o644))
}

// letIn has the configuration let such things in without a signature.
func letIn(t *testing.T, d *fixtures.Device, kind string) {
	t.Helper()
	f, err := os.OpenFile(d.Config, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(f, "\n[trust]\nunsigned_brings = [%q]\n", kind)
	require.NoError(t, errors.Join(err, f.Close()))
}

// newDevice is a device that starts no service.
func newDevice(t *testing.T, version string) *fixtures.Device {
	t.Helper()
	d, err := fixtures.Stubs().Device(t.Context(), t.TempDir(), fixtures.Release{Version: version}, fixtures.Options{Manager: "none"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Remove(context.Background())) })
	return d
}

// Every bundle that a release has made is installed: a legacy package, a signed
// release with hook, link, health check and directory to write in, and the next
// release, of which the patches are enough.
func TestBundlesOfEveryRelease(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(released, "bundles/*"))
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			d := newDevice(t, "0.1.0")
			on := []string{"--config", d.Config, "--root", d.Root}
			at := func(path string) string { return filepath.Join(d.Root, "opt/tope/versions/current", path) }
			perform(t, 0, append(on, "install", filepath.Join(dir, "0.9.0.zip"))...)
			perform(t, 10, append(on, "install", filepath.Join(dir, "1.0.0-unsigned.tope"))...) // it has a hook
			letIn(t, d, "hooks")
			perform(t, 0, append(on, "install", filepath.Join(dir, "1.0.0-unsigned.tope"))...)
			perform(t, 0, append(on, "rollback", "--force")...)
			putKey(t, d, dir)
			for _, version := range []string{"1.0.0", "1.1.0"} {
				perform(t, 0, append(on, "install", filepath.Join(dir, version+".tope"))...)
				app, err := os.ReadFile(at("bin/app"))
				require.NoError(t, err)
				require.Contains(t, string(app), "# app "+version)
				table, err := os.ReadFile(at("services/app/table"))
				require.NoError(t, err)
				require.Contains(t, string(table), "version "+version)
				require.FileExists(t, filepath.Join(d.Root, "usr/local/bin/app"))
				data, err := os.Readlink(at("services/app/data"))
				require.NoError(t, err)
				require.Contains(t, data, "shared")
			}
			perform(t, 10, append(on, "install", filepath.Join(dir, "1.0.0-unsigned.tope"))...)
			require.Contains(t, perform(t, 0, append(on, "journal", "show", "--all")...), "about to switch to 1.1.0", "the hook has run")
			require.Regexp(t, `1\.1\.0 .*good`, perform(t, 0, append(on, "versions", "--verify")...))
		})
	}
}
