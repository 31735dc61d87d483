package look_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

func TestPointersAndTheVersionsTheyLeadTo(t *testing.T) {
	d := newDevice(t)
	p, err := look.PointersAt(d)
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{}, p.Pointers)
	require.Empty(t, p.Strange)
	require.Empty(t, p.States)
	require.False(t, p.Marked)
	require.False(t, p.UpdatedBefore())

	d.publish("1.0.0", "bin/api")
	require.NoError(t, os.MkdirAll(filepath.Join(d.Path("1.1.0"), "bin"), 0o755)) // by hand
	require.NoError(t, os.MkdirAll(d.Path("0.9.0"), 0o755))                       // empty
	d.link("current", "v1.1.0")
	d.link("previous", "v1.0.0")
	d.link("factory", "v7.7.7")
	require.NoError(t, d.Mark("0.9.0"))
	p, err = look.PointersAt(d, "", "2.0.0", "1.0.0")
	require.NoError(t, err)
	require.Equal(t, []look.Pointer{{"current", "1.1.0"}, {"previous", "1.0.0"}, {"factory", "7.7.7"}}, p.All())
	require.True(t, p.Marked)
	require.Equal(t, "0.9.0", p.Marker)
	require.Equal(t, map[string]versions.State{
		"1.1.0": versions.Unverified, "1.0.0": versions.Complete, "7.7.7": versions.Missing, "0.9.0": versions.Damaged, "2.0.0": versions.Missing,
	}, p.States)
	require.Empty(t, p.Strange)
	require.True(t, p.UpdatedBefore())
}

// A pointer that leads to no version is reported with its target.
func TestStrangePointersAndMarkers(t *testing.T) {
	d := newDevice(t)
	d.link("current", "/somewhere/else")
	d.link("previous", "v1.0.0/../v1.0.0/bin")
	require.NoError(t, os.Mkdir(filepath.Join(d.Dir(), "factory"), 0o755))
	d.link(".uncommitted", "../shared")
	p, err := look.PointersAt(d)
	require.NoError(t, err)
	require.Equal(t, versions.Pointers{}, p.Pointers)
	require.Equal(t, map[string]string{"current": "/somewhere/else", "previous": "v1.0.0/../v1.0.0/bin", "factory": look.NotALink}, p.Strange)
	require.False(t, p.Marked)
	require.ErrorIs(t, p.StrangeMarker, versions.ErrForeign)
	require.False(t, p.UpdatedBefore(), "what the updater did not make tells nothing of it")
}

// A previous version that is the current one is what "links --pointers" leaves.
func TestPointersSetByHandAreNoUpdate(t *testing.T) {
	d := newDevice(t)
	d.link("current", "v1.0.0")
	d.link("previous", "v1.0.0")
	p, err := look.PointersAt(d)
	require.NoError(t, err)
	require.False(t, p.UpdatedBefore())
	d.link("previous", "v0.9.0")
	p, err = look.PointersAt(d)
	require.NoError(t, err)
	require.True(t, p.UpdatedBefore())
}

// badDisk is a store in which pointers, or versions, cannot be read.
type badDisk struct {
	look.Store
	raw, state error
}

func (b badDisk) Raw(name string) (string, bool, error) {
	if b.raw != nil {
		return "", true, b.raw
	}
	return b.Store.Raw(name)
}

func (b badDisk) State(version string) (versions.State, error) {
	if b.state != nil {
		return versions.Damaged, b.state
	}
	return b.Store.State(version)
}

func TestABadBlockInAVersionIsToldAndInAPointerIsAnError(t *testing.T) {
	d := newDevice(t)
	d.publish("1.0.0", "bin/api")
	d.link("current", "v1.0.0")
	bad := errors.New("input/output error")
	p, err := look.PointersAt(badDisk{Store: d, state: bad})
	require.NoError(t, err)
	require.Equal(t, versions.Damaged, p.States["1.0.0"])
	require.ErrorIs(t, p.Unreadable["1.0.0"], bad)
	_, err = look.PointersAt(badDisk{Store: d, raw: bad})
	require.ErrorIs(t, err, bad)
}

func TestLinksAreThoseOfTheCurrentVersion(t *testing.T) {
	d := newDevice(t)
	version, links, err := look.Links(d)
	require.NoError(t, err)
	require.Empty(t, version)
	require.Empty(t, links)
	d.publish("1.0.0", "bin/api")
	d.link("current", "v1.0.0")
	version, links, err = look.Links(d)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", version)
	require.Equal(t, []versions.Link{{Path: "/usr/local/bin/api", Target: "/opt/tope/versions/current/bin/api", State: versions.LinkMissing}}, links)
	d.link("current", "v2.0.0")
	_, _, err = look.Links(d)
	require.ErrorIs(t, err, versions.ErrNotFound)
}
