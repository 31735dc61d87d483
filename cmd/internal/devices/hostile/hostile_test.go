package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle/native/nativetest"
)

// hostile is a bundle that must be refused, and why.
type hostile struct {
	name string
	edit nativetest.Edit
	code steps.Code
	// says is a part of the message, which shows that the bundle is refused for
	// this reason, not by accident.
	says string

	// bare: the device has nothing of the release, and takes the solid member.
	bare bool
	// device prepares the device.
	device func(t *testing.T, v *victim)
	// serve replaces the server of the file; the case is not tried from disk then.
	serve func(file []byte) http.Handler
}

// victim is a device that trusts the kit's key and has version 1.0.0.
type victim struct {
	*fixtures.Device
	kit *nativetest.Kit
}

// newVictim makes a device; bare, when its version has nothing of the release.
func newVictim(t *testing.T, kit *nativetest.Kit, bare bool) *victim {
	t.Helper()
	old := fixtures.Release{Version: "1.0.0"}
	if !bare {
		old.Files = nativetest.Old()
	}
	d, err := fixtures.Stubs().Device(t.Context(), filepath.Join(t.TempDir(), "device"), old, fixtures.Options{
		Manager: "none", NoFactory: true,
		More: "[device]\nproduct = \"" + nativetest.Product + "\"\nhardware = \"" + nativetest.Hardware + "\"\n",
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.RemoveTree(d.Root)) })
	v := &victim{d, kit}
	v.put(t, "etc/tope-updater/keys/release.pub", kit.Pub)
	return v
}

// put writes a file of the device.
func (v *victim) put(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(v.Root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// configure appends to the configuration.
func (v *victim) configure(t *testing.T, text string) {
	t.Helper()
	was, err := os.ReadFile(v.Config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(v.Config, append(was, text...), 0o600))
}

// command is the program on the device.
func (v *victim) command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(ctx, builttest.Updater(t, builttest.Version), append([]string{"--config", v.Config, "--root", v.Root}, args...)...)
}

// run is how the program ends and what it prints.
func (v *victim) run(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := v.command(t.Context(), t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var ended *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &ended) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// refused is the exit code of an update that verification refused.
const refused = 10

// state is everything that a refused update must leave alone.
type state struct {
	pointers versions.Pointers
	versions []string
}

func (v *victim) state(t *testing.T) state {
	t.Helper()
	p, err := v.Store.Pointers()
	require.NoError(t, err)
	return state{p, names(t, v.Store.Dir())}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// requireRefused installs source. The update must be refused for that reason and
// journaled, and must leave nothing behind.
func (v *victim) requireRefused(t *testing.T, source string, code steps.Code, says string) {
	t.Helper()
	before := v.state(t)
	exit, _, stderr := v.run(t, "install", source)
	require.Equal(t, refused, exit, stderr)
	require.Contains(t, stderr, string(code))

	exit, list, stderr := v.run(t, "journal", "list", "--json")
	require.Zero(t, exit, stderr)
	var updates httpapi.Updates
	require.NoError(t, json.Unmarshal([]byte(list), &updates))
	u := updates.Updates[0]
	require.Equal(t, engine.Failed, u.State)
	require.True(t, u.Terminal)
	require.Equal(t, string(code), u.Error.Code)
	require.Equal(t, string(steps.Refused), u.Error.Class)
	require.Contains(t, u.Error.Text+u.Error.Details, says, "the line may leave out what the details have")
	exit, story, stderr := v.run(t, "journal", "show", "--json", u.ID)
	require.Zero(t, exit, stderr)
	require.Contains(t, story, `"`+string(code)+`"`)
	v.requireUntouched(t, before)
}

func (v *victim) requireUntouched(t *testing.T, before state) {
	t.Helper()
	require.Equal(t, before, v.state(t), "pointers and what lies in versions")
	require.Empty(t, names(t, filepath.Join(v.Root, "var/lib/tope-updater/work")))
}

// published serves h as release.tope and returns its URL.
func published(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/release.tope"
}

// onDisk is a handler that serves file, with ranges.
func onDisk(t *testing.T, file []byte) http.Handler {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "release.tope"), file, 0o600))
	return http.FileServer(http.Dir(dir))
}

// atOnce is how many devices are attacked at a time: they wait for their disk
// more than for a processor.
const atOnce = 8

// attack tries each bundle over HTTP and from a file, on a device of its own.
func attack(t *testing.T, kit *nativetest.Kit, cases []hostile) {
	t.Helper()
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, c := range cases {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(c.name, func(t *testing.T) { c.run(t, kit) })
		})
	}
	all.Wait()
}

func (c hostile) run(t *testing.T, kit *nativetest.Kit) {
	v := newVictim(t, kit, c.bare)
	if c.device != nil {
		c.device(t, v)
	}
	file := kit.Make(t, c.edit)
	if c.serve != nil {
		v.requireRefused(t, published(t, c.serve(file)), c.code, c.says)
		return
	}
	v.requireRefused(t, published(t, onDisk(t, file)), c.code, c.says)
	if testing.Short() {
		return // make test tries each from a file, too
	}
	share := filepath.Join(t.TempDir(), "release.tope")
	require.NoError(t, os.WriteFile(share, file, 0o600))
	v.requireRefused(t, share, c.code, c.says)
}

// The bundle that all hostile ones are made of is taken: so the changes are the
// reason why they are refused.
func TestTheSoundBundleIsTaken(t *testing.T) {
	kit := nativetest.New(t)
	file := kit.Make(t, nativetest.Edit{})
	for name, bare := range map[string]bool{"by parts": false, "solid": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := filepath.Join(t.TempDir(), "release.tope")
			require.NoError(t, os.WriteFile(share, file, 0o600))
			for _, source := range []string{published(t, onDisk(t, file)), share} {
				v := newVictim(t, kit, bare)
				v.requireTaken(t, source, bare)
			}
		})
	}
}

// requireTaken installs source, which must give the sound bundle's files.
func (v *victim) requireTaken(t *testing.T, source string, solid bool) {
	t.Helper()
	exit, out, stderr := v.run(t, "install", "--json", source)
	require.Zero(t, exit, stderr)
	var u engine.UpdateStatus
	require.NoError(t, json.Unmarshal([]byte(out), &u))
	require.Equal(t, solid, u.Wire.Solid)
	if !solid {
		require.Equal(t, 1, u.Wire.Local)
		require.Equal(t, 1, u.Wire.Patched)
		require.Equal(t, 2, u.Wire.Alone)
	}
	current := v.Store.Path(nativetest.Version)
	for path, want := range nativetest.Files() {
		got, err := os.ReadFile(filepath.Join(current, path))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), path)
	}
	require.Equal(t, []string{"app"}, names(t, filepath.Join(current, "services")))
	require.Equal(t, []string{"changed", "empty", "link", "new", "nothing", "same"}, names(t, filepath.Join(current, "services/app")))
	require.Equal(t, []string{"tool"}, names(t, filepath.Join(current, "bin")))
}
