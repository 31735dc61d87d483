package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/unitfiles"
)

// What the sandbox of a daemon that does not run yet will deny is foreseen, also where a
// default path is a link to another disk. With the drop-ins of the verb units it is allowed.
func TestWhatTheUnitDeniesIsForeseen(t *testing.T) {
	unit, err := os.ReadFile("../../../deploy/systemd/tope-updater.service")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		links map[string]string
		paths string
		want  []string
	}{
		"the defaults":                    {},
		"versions on another disk":        {map[string]string{"/opt/tope/versions": "/data/versions"}, "", []string{"cannot write to /opt/tope/versions (paths.versions)"}},
		"bin and shared, too":             {map[string]string{"/usr/local/bin": "/data/bin", "/opt/tope/shared": "../../data/shared"}, "", []string{"cannot write to /opt/tope/shared (paths.shared)"}},
		"links that systemd follows":      {map[string]string{"/opt": "/data/opt", "/var/lib": "/data/lib"}, "", nil},
		"a link that systemd refuses":     {map[string]string{"/var/lib/tope-updater": "/data/state"}, "", []string{"systemd does not start the daemon: /var/lib/tope-updater is a link"}},
		"a link to the daemon's own /tmp": {map[string]string{"/opt/tope/versions": "/tmp/versions"}, "", []string{"hides /opt/tope/versions (paths.versions)"}},
		"a moved path that is a link":     {map[string]string{"/srv/tope": "/data/tope"}, "versions = \"/srv/tope\"", []string{"cannot write to /srv/tope (paths.versions)"}},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := disk.NewRoot(t.TempDir())
			require.NoError(t, err)
			in := func(path string) string {
				host, err := root.Resolve(path)
				require.NoError(t, err)
				return host
			}
			for path, to := range c.links {
				link := filepath.Join(root.Dir(), path)
				require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o755))
				require.NoError(t, os.Symlink(to, link))
			}
			cfg, err := config.Parse([]byte("[paths]\n" + c.paths))
			require.NoError(t, err)
			for _, p := range cfg.Places() {
				require.NoError(t, disk.MkdirAll(in(p.Path), 0o755))
			}
			require.NoError(t, disk.MkdirAll(in("/lib/systemd/system"), 0o755))
			require.NoError(t, os.WriteFile(in("/lib/systemd/system/tope-updater.service"), unit, 0o644))
			m := &servicetest.UnitFake{Fake: servicetest.NewFake(clocktest.New()), Dirs: []string{"/etc/systemd/system", "/lib/systemd/system"}}
			denied := func() (all []Finding) {
				c := &checkup{Device: Device{Config: cfg, Root: root, Clock: clocktest.New()}, seen: seen{manager: m}}
				c.sandbox(t.Context())
				for _, f := range c.findings {
					if f.Level != Pass {
						all = append(all, f)
					}
				}
				return all
			}
			before := denied()
			for i, want := range c.want {
				require.Greater(t, len(before), i)
				require.Equal(t, Fail, before[i].Level)
				require.Contains(t, before[i].Text, want)
				require.Contains(t, before[i].Do, "units")
			}
			_, err = unitfiles.New(unitfiles.Config{Root: root, Tree: func(v string) string { return in("/opt/tope/versions/" + v) }, Needs: cfg.Needs(root)}).Complete("")
			require.NoError(t, err)
			require.Empty(t, denied())
		})
	}
}
