package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/unitfiles"
)

// At its default a key needs nothing of the daemon's unit, and moved it does.
func TestWhatAConfigurationNeedsOfTheUnits(t *testing.T) {
	for text, want := range map[string]unitfiles.Needs{
		"": {},
		"[paths]\nversions = \"/opt/tope/versions\"":                                                   {},
		"[paths]\nversions = \"/data/v\"\nkeys = \"/data/k\"":                                          {Writes: []string{"/data/v"}, Reads: []string{"/data/k"}},
		"[fleet]\nchannel = \"https://h/a.channel\"":                                                   {},
		"[fleet]\nchannel = \"https://h/a.channel\"\n[paths]\nkeys = \"/data/k\"":                      {Writes: []string{"/data/k"}},
		"[paths]\nrun = \"/run/edge\"":                                                                 {Run: "/run/edge", Socket: "/run/edge/api.sock"},
		"[http]\nlisten = \"127.0.0.1:80\"":                                                            {LowPort: true},
		"[http]\nlan = \"0.0.0.0:443\"":                                                                {LowPort: true},
		"[http]\nlan = \"0.0.0.0:12316\"":                                                              {},
		"[http]\nlan = \":8443\"\ntls_cert = \"/tmp/c.pem\"\ntls_key = \"/etc/k.pem\"":                 {Reads: []string{"/tmp/c.pem"}},
		"[http]\nlisten = \"\"":                                                                        {},
		"[download]\nmax_patch = 1000000000":                                                           {Memory: 2000000000 + 48<<20},
		"[download]\nca_file = \"/etc/ssl/own.pem\"":                                                   {},
		"[download]\nca_file = \"/tmp/own.pem\"":                                                       {Reads: []string{"/tmp/own.pem"}},
		"[[service]]\nname = \"a\"\n[[service.health]]\nkind = \"command\"\ncommand = [\"/bin/true\"]": {},
	} {
		c, err := config.Parse([]byte(text))
		require.NoError(t, err, text)
		root, err := disk.NewRoot(t.TempDir())
		require.NoError(t, err)
		require.Equal(t, want, c.Needs(root), text)
	}
}

// What counts is where a directory lies, also at its default: a link leads out of what the
// shipped units allow and wait for.
func TestLinksOfTheDeviceCountForTheUnits(t *testing.T) {
	for name, c := range map[string]struct {
		links map[string]string
		text  string
		want  unitfiles.Needs
	}{
		"versions on another disk":        {map[string]string{"/opt/tope/versions": "/data/versions"}, "", unitfiles.Needs{Writes: []string{"/data/versions"}}},
		"relative, by two links":          {map[string]string{"/opt/tope/shared": "../../srv/shared", "/srv": "/data"}, "", unitfiles.Needs{Writes: []string{"/data/shared"}}},
		"state, bin and keys":             {map[string]string{"/usr/local/bin/x": "y", "/etc/tope-updater/keys": "/data/keys", "/opt/tope/services": "/data/s"}, "", unitfiles.Needs{Writes: []string{"/data/s"}, Reads: []string{"/data/keys"}}},
		"keys that a channel brings":      {map[string]string{"/etc/tope-updater/keys": "/data/keys"}, "[fleet]\nchannel = \"https://h/a.channel\"", unitfiles.Needs{Writes: []string{"/data/keys"}}},
		"within what is allowed":          {map[string]string{"/opt/tope/versions": "data/versions"}, "", unitfiles.Needs{}},
		"what is allowed is a link":       {map[string]string{"/opt/tope": "/data/tope"}, "", unitfiles.Needs{Reads: []string{"/data/tope/versions", "/data/tope/shared", "/data/tope/services"}}},
		"so is the state":                 {map[string]string{"/var/lib/tope-updater": "/data/state"}, "", unitfiles.Needs{StateLink: true, Writes: []string{"/data/state"}}},
		"the directory of the state":      {map[string]string{"/var/lib": "/data/lib"}, "", unitfiles.Needs{Reads: []string{"/data/lib/tope-updater"}}},
		"a state that has moved away":     {map[string]string{"/var/lib/tope-updater": "/data/state"}, "[paths]\nstate = \"/data/state\"", unitfiles.Needs{StateLink: true, Writes: []string{"/data/state"}}},
		"a directory above all":           {map[string]string{"/usr/local": "/data/local"}, "", unitfiles.Needs{Reads: []string{"/data/local/bin"}}},
		"a link out of a link":            {map[string]string{"/opt": "/data/opt", "/data/opt/tope/versions": "/ssd/v"}, "", unitfiles.Needs{Writes: []string{"/ssd/v"}, Reads: []string{"/data/opt/tope/shared", "/data/opt/tope/services"}}},
		"a path that was moved to a link": {map[string]string{"/srv": "/data"}, "[paths]\nversions = \"/srv/v\"\nkeys = \"/srv/k\"", unitfiles.Needs{Writes: []string{"/data/v"}, Reads: []string{"/data/k"}}},
		"a link below /tmp stays":         {map[string]string{"/tmp/v": "/data/v"}, "[paths]\nversions = \"/tmp/v\"", unitfiles.Needs{Writes: []string{"/tmp/v"}}},
		"a link to /tmp":                  {map[string]string{"/opt/tope/versions": "/tmp/v", "/etc/own.pem": "/tmp/own.pem"}, "[download]\nca_file = \"/etc/own.pem\"", unitfiles.Needs{Writes: []string{"/tmp/v"}, Reads: []string{"/tmp/own.pem"}}},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := disk.NewRoot(t.TempDir())
			require.NoError(t, err)
			for path, to := range c.links {
				link := filepath.Join(root.Dir(), path)
				require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o755))
				require.NoError(t, os.Symlink(to, link))
			}
			cfg, err := config.Parse([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, cfg.Needs(root))
		})
	}
}

// Only what is in the file is a mistake; a file that is not there is not.
func TestAMistakeIsKnown(t *testing.T) {
	_, err := config.Load("testdata/absent.toml")
	require.Error(t, err)
	require.NotErrorIs(t, err, config.ErrMistake)
}
