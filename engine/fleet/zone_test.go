package fleet

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestZone(t *testing.T) {
	for name, want := range map[string]*time.Location{"": time.Local, "local": time.Local, "UTC": time.UTC} {
		got, err := Zone(name)
		require.NoError(t, err)
		require.Same(t, want, got, name)
	}
	got, err := Zone("Asia/Shanghai")
	require.NoError(t, err)
	require.Equal(t, "Asia/Shanghai", got.String())
	for _, name := range []string{"Europe/Bielefeld", "../../etc/passwd", "/etc/localtime", "Europe", "a\nb"} {
		_, err := Zone(name)
		require.ErrorContains(t, err, `cannot be read from this device's zoneinfo; write "UTC", "local" or a name`)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestADeviceWithoutZoneinfo(t *testing.T) {
	none := func(string) (*time.Location, error) { return nil, errors.New("unknown time zone") }
	for name, want := range map[string]*time.Location{"": time.Local, "local": time.Local, "UTC": time.UTC} {
		got, err := zone(name, none, func() bool { return false })
		require.NoError(t, err)
		require.Same(t, want, got)
	}
	_, err := zone("Europe/Berlin", none, func() bool { return false })
	require.EqualError(t, err, `time zone "Europe/Berlin": this device has no zoneinfo; install tzdata, or write "UTC" or "local"`)
	require.True(t, zoneinfo(), "of the machine that runs this test")
}

// The program must not bring time zones: they are 400 KB.
func TestNoZonesAreLinkedIn(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "engine/fleet\n")
	require.NotContains(t, string(out), "time/tzdata")
}
