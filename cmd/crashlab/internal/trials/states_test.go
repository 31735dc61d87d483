//go:build linux && amd64

package trials_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// flow is an update that goes through some states, on a device on which 1.1.0 is
// current, and 1.0.0 is previous and factory.
type flow struct {
	name    string
	release fixtures.Release
	states  []engine.State
	// ends are the versions the device may end with when the flow is cut.
	ends []string
	// meanwhile runs when a state has been entered.
	meanwhile func(d *device, s engine.State)
	// broken: version 1.1.0 does not run any more.
	broken bool
}

func flows() []flow {
	return []flow{
		{
			name: "good", release: fixtures.Release{Version: "1.2.0"}, ends: []string{"1.1.0", "1.2.0"},
			states: []engine.State{
				engine.Requested, engine.Downloading, engine.Verifying, engine.Ready, engine.Extracting, engine.Staging,
				engine.Switching, engine.Restarting, engine.CheckingHealth, engine.Committing, engine.Committed,
			},
		},
		{
			name: "bad", release: fixtures.Release{Version: "1.3.0", DeviceAPI: "exit"}, ends: []string{"1.1.0"},
			states: []engine.State{engine.RollingBack, engine.RolledBack},
		},
		{
			name: "bad, and the old one broken", release: fixtures.Release{Version: "1.3.0", DeviceAPI: "exit"}, ends: []string{"1.0.0", "1.1.0"},
			states:    []engine.State{engine.FallingBack, engine.FellBack},
			meanwhile: breakOld, broken: true,
		},
		{
			name: "refused", release: fixtures.Release{Version: "not a version"}, ends: []string{"1.1.0"},
			states: []engine.State{engine.Failed},
		},
	}
}

// breakOld breaks version 1.1.0 when it has been stopped for good.
func breakOld(d *device, s engine.State) {
	if s != engine.Switching {
		return
	}
	behaviour := filepath.Join(d.Store.Path("1.1.0"), "services/device-api/behaviour")
	require.NoError(d.t, os.Remove(behaviour)) // its bytes may be another device's too
	require.NoError(d.t, os.WriteFile(behaviour, []byte("exit\n"), 0o444))
}

// scene is a device as a power cut in some state of a flow would leave it.
type scene struct {
	flow  flow
	state engine.State
	from  *device
	next  string // a good package, for afterwards
}

func (s scene) String() string {
	if s.flow.name == "good" {
		return string(s.state)
	}
	return fmt.Sprintf("%s (%s)", s.state, s.flow.name)
}

// film runs each flow on a device of its own, and keeps a copy of the device as
// it is in each of the flow's states.
func film(t *testing.T) []scene {
	t.Helper()
	dir := t.TempDir()
	base := newDevice(t, filepath.Join(dir, "base"), builttest.Services(t), fixtures.Options{Timeout: 4 * time.Second})
	base.must(0, "install", packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.1.0"}))
	next := packageOf(t, builttest.Services(t), fixtures.Release{Version: "1.4.0"})
	var scenes []scene
	for i, f := range flows() {
		pack := packageOf(t, builttest.Services(t), f.release)
		d := copyOf(t, base, filepath.Join(dir, fmt.Sprint(i)))
		m := d.boot()
		m.start("serve") // the gate wants the services back that run before
		d.becomesIdle()
		var seen []engine.State
		m.standAtEach(func(s engine.State) bool {
			if f.meanwhile != nil {
				f.meanwhile(d, s)
			}
			if slices.Contains(f.states, s) && !slices.Contains(seen, s) {
				seen = append(seen, s)
				kept := filepath.Join(dir, fmt.Sprintf("%d-%s", i, s))
				copyTree(t, d.Root, kept)
				scenes = append(scenes, scene{f, s, own(t, &fixtures.Device{Root: kept, Ports: d.Ports}, d.host), next})
			}
			return false
		}, "install", pack)
		require.Equal(t, f.states, seen, "the flow %q", f.name)
		m.off()
	}
	return scenes
}

// addresses tells copies of a device apart: each listens on an address of its own.
var addresses atomic.Uint32

// copyOf is a copy of a device, as it is after a reboot, at an address of its own.
func copyOf(t testing.TB, from *device, root string) *device {
	t.Helper()
	copyTree(t, from.Root, root)
	n := addresses.Add(1)
	host := fmt.Sprintf("127.77.%d.%d", n/250, 1+n%250)
	config := filepath.Join(root, "etc/tope-updater/config.toml")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	text = bytes.ReplaceAll(text, []byte(from.host), []byte(host))
	require.NoError(t, os.WriteFile(config, text, 0o644))
	below, err := disk.NewRoot(root)
	require.NoError(t, err)
	store, err := versions.Open(versions.Config{
		Root: below, Versions: "/opt/tope/versions", Services: "/opt/tope/services", Bin: "/usr/local/bin", Shared: "/opt/tope/shared",
	})
	require.NoError(t, err)
	return own(t, &fixtures.Device{Root: below.Dir(), Config: config, Ports: from.Ports, Store: store}, host)
}

// copyTree copies all but /run. Files of versions, which never change, are
// shared.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case rel == "run":
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(at, info.Mode().Perm())
		case e.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, at)
		case strings.HasPrefix(rel, "opt/tope/versions/v"):
			return os.Link(path, at)
		}
		return copyFile(path, at, info.Mode().Perm())
	}))
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
