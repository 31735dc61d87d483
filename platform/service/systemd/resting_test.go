package systemd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/service/systemd"
)

func TestADeviceThatDoesNotRunIsOnlyKept(t *testing.T) {
	t.Parallel()
	servicetest.StandBy(t, systemd.Resting{})
	require.True(t, service.Rests(systemd.Resting{}))
	require.False(t, service.Rests(systemd.New(systemd.Config{})))
	require.Equal(t, systemd.New(systemd.Config{}).UnitDirs(), systemd.Resting{}.UnitDirs())
}
