package versions_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/disk/disktest"
	"github.com/tope/updater/platform/versions"
)

// target is where a link below the device's root leads.
func (d *device) target(path string) string {
	d.t.Helper()
	target, err := os.Readlink(filepath.Join(d.root, path))
	require.NoError(d.t, err)
	return target
}

func TestEnsureLinks(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	added, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{"/usr/local/bin/device-api", "/opt/tope/services/device-api"}, added)
	require.Equal(t, "/opt/tope/versions/current/bin/device-api", d.target("/usr/local/bin/device-api"))
	require.Equal(t, "../versions/current/services/device-api", d.target("/opt/tope/services/device-api"))
	d.point(versions.Current, "1.0.0")
	require.FileExists(t, d.root+"/opt/tope/services/device-api/run", "it leads there")

	added, err = d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	require.Empty(t, added)
}

func TestEnsureLinksReplacesNothing(t *testing.T) {
	const bin = "/usr/local/bin/device-api"
	for name, c := range map[string]struct {
		build   func(d *device)
		blocked bool
	}{
		"a file":                 {func(d *device) { put(d.t, d.root+bin, "precious") }, true},
		"a directory":            {func(d *device) { put(d.t, d.root+bin+"/f", "precious") }, true},
		"somebody's link":        {func(d *device) { symlink(d.t, "/srv/device-api", d.root+bin) }, true},
		"past current":           {func(d *device) { symlink(d.t, "/opt/tope/versions/v1.0.0/bin/device-api", d.root+bin) }, true},
		"to another program":     {func(d *device) { symlink(d.t, "/opt/tope/versions/current/bin/web", d.root+bin) }, true},
		"ours, spelt in its way": {func(d *device) { symlink(d.t, "../../../opt/tope/versions/current/bin/device-api", d.root+bin) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.publish("1.0.0")
			c.build(d)
			before, err := os.Lstat(d.root + bin)
			require.NoError(t, err)
			added, err := d.EnsureLinks("1.0.0")
			require.Equal(t, []string{"/opt/tope/services/device-api"}, added, "the others are made")
			if c.blocked {
				var blocked *versions.BlockedError
				require.ErrorAs(t, err, &blocked)
				require.ErrorIs(t, err, versions.ErrForeign)
				require.Equal(t, []string{bin}, blocked.Paths)
			} else {
				require.NoError(t, err)
			}
			after, err := os.Lstat(d.root + bin)
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
		})
	}
}

func TestSweepLinks(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	_, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	r := plain("1.1.0")
	delete(r, "bin/device-api!")
	r["bin/web!"] = program("web")
	r["bin/.hidden"] = "x"
	require.NoError(t, d.Publish(t.Context(), "u2", d.stage("u2", "1.1.0", r)))

	added, err := d.EnsureLinks("1.1.0")
	require.NoError(t, err)
	require.Equal(t, []string{"/usr/local/bin/web"}, added)
	require.NotEmpty(t, d.target("/usr/local/bin/device-api"), "a gone program keeps its link until the commit")

	bin := d.root + "/usr/local/bin/"
	symlink(t, "/usr/bin/true", bin+"operators")
	symlink(t, "/opt/tope/versions/v1.0.0/bin/device-api", bin+"pinned")
	symlink(t, "/opt/tope/versions/current/bin/gone", bin+"alias")
	symlink(t, "/opt/tope/versions/current/bin/web", bin+".web.tmp")
	symlink(t, "/opt/tope/versions/current/bin/web", bin+"web2")
	put(t, bin+"file", "x")
	for _, want := range [][]string{{"/usr/local/bin/.web.tmp", "/usr/local/bin/alias", "/usr/local/bin/device-api"}, nil} {
		removed, err := d.SweepLinks("1.1.0")
		require.NoError(t, err)
		require.Equal(t, want, removed)
	}
	require.ElementsMatch(t, []string{"web", "web2", "operators", "pinned", "file"}, list(t, bin))
}

func TestLinksOfAVersionThatIsNone(t *testing.T) {
	d := newDevice(t)
	_, err := d.EnsureLinks("1.0.0")
	require.ErrorIs(t, err, versions.ErrNotFound)
	_, err = d.SweepLinks("1.0.0")
	require.ErrorIs(t, err, versions.ErrNotFound)
	require.NoDirExists(t, d.root+"/usr")
}

// /opt/tope/services is a link to another place: a relative target must lead
// back from there.
func TestLinksFromADirectoryThatIsALink(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	d.point(versions.Current, "1.0.0")
	require.NoError(t, os.MkdirAll(d.root+"/data/deep/services", 0o755))
	symlink(t, "/data/deep/services", d.root+"/opt/tope/services")
	_, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	require.FileExists(t, d.root+"/data/deep/services/device-api/run")
	links, err := d.Links("1.0.0")
	require.NoError(t, err)
	for _, l := range links {
		require.Equal(t, versions.LinkRight, l.State, l.Path)
	}
}

// Whether the links could be made is tried in each directory, and leaves nothing.
func TestProbeLinks(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0")
	require.NoError(t, d.ProbeLinks("1.0.0"), "the directories would be made")
	_, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	bin := filepath.Join(d.root, "usr/local/bin")
	require.NoError(t, os.Remove(bin+"/device-api"))
	require.NoError(t, d.ProbeLinks("1.0.0"))
	left, err := os.ReadDir(bin)
	require.NoError(t, err)
	require.Empty(t, left)

	services := filepath.Join(d.root, "opt/tope/services")
	require.NoError(t, os.Remove(services+"/device-api"))
	for _, dir := range []string{bin, services} {
		require.NoError(t, os.Chmod(dir, 0o555))
	}
	disktest.AsNobody(t, d.root, func() {
		err := d.ProbeLinks("1.0.0")
		require.ErrorContains(t, err, "no link can be made in /usr/local/bin")
		require.ErrorContains(t, err, "no link can be made in /opt/tope/services", "all at once")
	})
}

// Programs of a bin that leads out of the version, to a directory that services write to,
// get no links: a service would choose the names, and what root's shells find under them.
func TestNoLinksToABinOutsideTheVersion(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		want   []string
	}{
		"another directory of the version": {"sbin", []string{"/usr/local/bin/api"}},
		"a shared directory":               {"../../shared/bin", nil},
		"one that is missing":              {"none", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			version := d.Path("1.0.0")
			put(t, version+"/sbin/api", "api")
			put(t, d.root+"/opt/tope/shared/bin/ls", "evil")
			symlink(t, c.target, version+"/bin")
			added, err := d.EnsureLinks("1.0.0")
			require.NoError(t, err)
			require.Equal(t, c.want, added)
		})
	}
}

// The same for one program: what its name leads to is not the service's to choose, now or later.
func TestNoLinksToAProgramOutsideTheVersion(t *testing.T) {
	d := newDevice(t)
	version := d.Path("1.0.0")
	put(t, version+"/lib/api", "api")
	put(t, d.root+"/opt/tope/shared/data/tool", "evil")
	symlink(t, "../../shared/data", version+"/data")
	for name, target := range map[string]string{
		"inside": "../lib/api", "whole": "/opt/tope/versions/v1.0.0/lib/api", "none": "../lib/none",
		"tool": "../data/tool", "later": "../data/later", "system": "/usr/bin/tool", "out": "../../v1.0.0-1/tool",
	} {
		symlink(t, target, version+"/bin/"+name)
	}
	symlink(t, "/opt/tope/versions/current/bin/tool", d.root+"/usr/local/bin/tool")
	d.point(versions.Current, "1.0.0")
	added, err := d.EnsureLinks("1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{"/usr/local/bin/inside", "/usr/local/bin/none", "/usr/local/bin/whole"}, added)
	removed, err := d.SweepLinks("1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{"/usr/local/bin/tool"}, removed, "an earlier updater has made it")
}
