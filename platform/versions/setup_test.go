package versions_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/versions"
)

func TestSetPointers(t *testing.T) {
	for name, c := range map[string]struct {
		build             func(d *device)
		want              string
		set               []string
		current, previous string
		err               error
	}{
		"one version":       {func(d *device) { d.publish("1.0.0") }, "", []string{"current", "previous"}, "1.0.0", "1.0.0", nil},
		"by name":           {func(d *device) { d.publish("1.0.0"); d.publish("1.1.0") }, "1.1.0", []string{"current", "previous"}, "1.1.0", "1.1.0", nil},
		"which one?":        {func(d *device) { d.publish("1.0.0"); d.publish("1.1.0") }, "", nil, "", "", versions.ErrNotFound},
		"none":              {func(*device) {}, "", nil, "", "", versions.ErrNotFound},
		"none of that name": {func(d *device) { d.publish("1.0.0") }, "2.0.0", nil, "", "", versions.ErrNotFound},
		"all right": {func(d *device) {
			d.publish("1.0.0")
			d.publish("1.1.0")
			d.point(versions.Current, "1.1.0")
			d.point(versions.Previous, "1.0.0")
		}, "", nil, "1.1.0", "1.0.0", nil},
		"another one": {func(d *device) {
			d.publish("1.0.0")
			d.publish("1.1.0")
			d.point(versions.Current, "1.1.0")
		}, "1.0.0", nil, "1.1.0", "", versions.ErrCurrentSet},
		"current leads nowhere": {func(d *device) {
			d.publish("1.0.0")
			d.publish("1.1.0")
			symlink(d.t, "v9.9.9", d.root+"/opt/tope/versions/current")
			d.point(versions.Previous, "1.0.0")
		}, "", []string{"current"}, "1.0.0", "1.0.0", nil},
		"a directory in its place": {func(d *device) {
			d.publish("1.0.0")
			put(d.t, d.root+"/opt/tope/versions/current/f", "precious")
		}, "", nil, "", "", versions.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			c.build(d)
			set, err := d.SetPointers(c.want)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.set, set)
			p, err := d.Pointers()
			require.NoError(t, err)
			require.Equal(t, c.current, p.Current)
			require.Equal(t, c.previous, p.Previous)
			if c.err == nil {
				set, err = d.SetPointers(c.want)
				require.NoError(t, err)
				require.Empty(t, set, "the second time there is nothing to do")
			}
		})
	}
}

func TestAdoptLinks(t *testing.T) {
	const bin, service = "/usr/local/bin/device-api", "/opt/tope/services/device-api"
	d := newDevice(t)
	d.publish("1.0.0")
	d.point(versions.Current, "1.0.0")
	put(t, d.root+bin, "old program")
	put(t, d.root+bin+versions.AsideSuffix, "an older one")
	put(t, d.root+service+"/data", "precious")
	aside, err := d.AdoptLinks(t.Context(), "1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{bin + ".before-tope.1", service + ".before-tope"}, aside)
	require.Equal(t, "/opt/tope/versions/current/bin/device-api", d.target(bin))
	require.Equal(t, "../versions/current/services/device-api", d.target(service))
	for path, content := range map[string]string{bin + ".before-tope": "an older one", bin + ".before-tope.1": "old program", service + ".before-tope/data": "precious"} {
		data, err := os.ReadFile(d.root + path)
		require.NoError(t, err)
		require.Equal(t, content, string(data))
	}
	aside, err = d.AdoptLinks(t.Context(), "1.0.0")
	require.NoError(t, err)
	require.Empty(t, aside)

	require.NoError(t, os.Remove(d.root+bin))
	symlink(t, "/srv/device-api", d.root+bin)
	aside, err = d.AdoptLinks(t.Context(), "1.0.0")
	require.NoError(t, err)
	require.Equal(t, []string{bin + ".before-tope.2"}, aside)
	require.Equal(t, "/srv/device-api", d.target(bin+".before-tope.2"))
}
