package guides_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/cmd/internal/guidetest"
	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service/systemdtest"
)

// patience is how long a command may take.
const patience = 2 * time.Minute

// The English guides, played on one machine in the order of the tour.
func TestTheGuidesDoWhatTheySay(t *testing.T) {
	roottest.Need(t, "a machine with a systemd of its own")
	b := bring(t)
	m := b.device(t)
	for _, name := range guidetest.Tour() {
		if !t.Run(name, func(t *testing.T) { b.play(t, m, guidetest.Path("", name)) }) {
			t.Logf("what comes after %s builds on it and is left out", name)
			return
		}
	}
}

// brought is what the operator has brought along, by its path on the device.
type brought map[string]string

// bring makes the updater's program and package, some releases of the services,
// and one release that is only a directory.
func bring(t *testing.T) brought {
	dir := t.TempDir()
	programs := builttest.Services(t)
	b := brought{}
	for _, r := range []fixtures.Release{
		{Version: "1.0.0"}, {Version: "1.1.0"}, {Version: "1.2.0", DeviceAPI: "unhealthy"}, {Version: "1.3.0"},
	} {
		p, err := programs.Package(dir, r)
		require.NoError(t, err)
		b["/root/app-"+r.Version+".zip"] = p.Path
	}
	b["/root/app/bin/device-api"] = builttest.Service(t, fixtures.DeviceAPI)
	b["/root/app/services/web-server/web-server"] = builttest.Service(t, fixtures.WebServer)
	version := filepath.Join(dir, "VERSION")
	require.NoError(t, os.WriteFile(version, []byte("1.0.0\n"), 0o644))
	for _, s := range []string{fixtures.DeviceAPI, fixtures.WebServer} {
		b["/root/app/services/"+s+"/VERSION"] = version
	}
	const updater = "2.0.0"
	deb := devicetest.Deb(t, "tope-updater", "", updater)
	b["/root/"+filepath.Base(deb)] = deb
	b["/root/dist/tope-updater-linux-"+runtime.GOARCH] = builttest.Updater(t, updater)
	for _, pattern := range []string{"*", "systemd/*", "systemd/examples/*"} {
		files, err := filepath.Glob(filepath.Join(builttest.Top(), "deploy", pattern))
		require.NoError(t, err)
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
				b["/root/"+strings.TrimPrefix(f, builttest.Top()+"/")] = f
			}
		}
	}
	return b
}

// device is a new Debian with the things that the operator has brought.
func (b brought) device(t *testing.T) *systemdtest.Machine {
	m := systemdtest.New(t)
	for path, host := range b {
		info, err := os.Stat(host)
		require.NoError(t, err)
		m.Put(host, path, info.Mode().Perm())
	}
	m.Boot()
	return m
}

// play runs a guide.
func (all brought) play(t *testing.T, m *systemdtest.Machine, path string) {
	var other *systemdtest.Machine
	for _, b := range guidetest.Blocks(t, path) {
		on := m
		if b.Fresh {
			other = all.device(t)
		}
		if b.Fresh || b.There {
			on = other
		}
		switch b.Kind {
		case guidetest.Unrun:
		case guidetest.Cut:
			m.Kill()
			m.Boot()
		case guidetest.Shown, guidetest.Hidden:
			steps := b.Steps()
			for i, s := range steps {
				want := 0
				if i == len(steps)-1 {
					want = b.Exit
				}
				said, code := sh(t, on, s.Command)
				assert.Equal(t, want, code, "%s:%d: the exit code of\n%s\nwhich printed\n%s", path, b.Line, s.Command, said)
				if s.Judged && !s.Matches(said) {
					t.Errorf("%s:%d: %s\nprinted\n%s\nwhich is not what the guide shows:\n%s", path, b.Line, s.Command, said, s.Want)
				}
			}
		}
	}
}

// sh runs a command as a person in front of the machine would.
func sh(t *testing.T, m *systemdtest.Machine, command string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, err := m.Command(ctx, "env", "-C", "/root", "bash", "-c", command)
	require.NoError(t, err)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s: %v\n%s", command, err, out.String())
	}
	if os.Getenv("GUIDES_VERBOSE") != "" {
		t.Logf("%s (%s)\n%s", command, time.Since(began).Round(time.Millisecond), out.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
