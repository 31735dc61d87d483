package booted_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/bootedtest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
)

func TestAGoodUpdate(t *testing.T) {
	t.Parallel()
	d := bootedtest.New(t, bootedtest.Options{})
	d.Up()
	require.Empty(t, d.Failed())
	d.Whole("1.0.0")
	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
	require.Equal(t, engine.Committed, d.Over().State)
	d.Whole("1.1.0")
	require.Contains(t, d.Property(bootedtest.Daemon, "StatusText"), "current is 1.1.0")
	d.MustRun(bootedtest.Updater, "rollback")
	d.Whole("1.0.0")
	require.Empty(t, d.Failed())
}

// Every way in which a release can be bad leads back to the old version, which
// is down for no longer than that takes, and the next good release is installed.
func TestABadReleaseRollsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		release fixtures.Release
		options bootedtest.Options
	}{
		"exits at once":           {release: fixtures.Release{DeviceAPI: "exit"}},
		"dies after 3 s":          {release: fixtures.Release{DeviceAPI: "die-after=3s"}, options: bootedtest.Options{Stable: 5 * time.Second, Timeout: 8 * time.Second}},
		"is never healthy":        {release: fixtures.Release{WebServer: "unhealthy"}},
		"never answers":           {release: fixtures.Release{WebServer: "hang"}},
		"hangs in start":          {release: fixtures.Release{WebServer: "ready-after=1h"}},
		"hangs in stop":           {release: fixtures.Release{DeviceAPI: "stubborn unhealthy"}, options: bootedtest.Options{Unit: "TimeoutStopSec=1h"}},
		"is healthy but restarts": {release: fixtures.Release{DeviceAPI: "die-after=700ms"}, options: bootedtest.Options{Stable: 2 * time.Second, Timeout: 4 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := bootedtest.New(t, c.options)
			d.Up()
			c.release.Version = "1.1.0"
			d.Begin(d.Offer(c.release))
			u := d.Over()
			require.Equal(t, engine.RolledBack, u.State, "%+v", u)
			d.Whole("1.0.0")
			st, _ := d.Status()
			require.Len(t, st.Quarantine, 1)
			d.Begin(d.Offer(fixtures.Release{Version: "1.2.0"}))
			require.Equal(t, engine.Committed, d.Over().State)
			d.Whole("1.2.0")
		})
	}
}

// The old version has stopped to work in the meantime: the factory's is next;
// and when that is dead, too, somebody has to come, but the API is up and a good
// release is taken.
func TestWhenTheWayBackIsBarred(t *testing.T) {
	t.Parallel()
	dying := func(t *testing.T, spoilt ...string) *bootedtest.Device {
		d := bootedtest.New(t, bootedtest.Options{})
		d.Up()
		d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
		require.Equal(t, engine.Committed, d.Over().State)
		d.Begin(d.Offer(fixtures.Release{Version: "1.2.0", DeviceAPI: "unhealthy"}))
		d.In(engine.CheckingHealth)
		for _, version := range spoilt {
			d.Spoil(version, bootedtest.DeviceAPI, "exit")
		}
		return d
	}
	t.Run("previous", func(t *testing.T) {
		t.Parallel()
		d := dying(t, "1.1.0")
		require.Equal(t, engine.FellBack, d.Over().State)
		require.Equal(t, "1.0.0", d.Serves(bootedtest.DeviceAPI))
		d.Whole("1.0.0")
	})
	t.Run("previous and factory", func(t *testing.T) {
		t.Parallel()
		d := dying(t, "1.1.0", "1.0.0")
		require.Equal(t, engine.NeedsAttention, d.Over().State)
		_, err := d.Run("curl", "-sf", "http://127.0.0.1:12315/api/v1.0/progress")
		require.NoError(t, err, "the API is up")
		require.Equal(t, "active", d.Property(bootedtest.Daemon, "ActiveState"))
		d.Begin(d.Offer(fixtures.Release{Version: "1.3.0"}))
		require.Equal(t, engine.Committed, d.Over().State)
		d.Whole("1.3.0")
	})
}

// A release that ties the updater to one of its units must not end with it: the
// device would have neither services nor anybody to start them.
func TestAReleaseThatTiesTheUpdater(t *testing.T) {
	t.Parallel()
	for name, tie := range map[string]string{
		"required": "[Service]\nExecStart=sleep infinity\n[Install]\nRequiredBy=tope-updater.service\n",
		"conflict": "[Unit]\nConflicts=tope-updater.service\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := bootedtest.New(t, bootedtest.Options{})
			d.Up()
			for _, version := range []string{"1.1.0", "1.2.0"} {
				d.Begin(d.Offer(fixtures.Release{Version: version, Files: map[string][]byte{"systemd/tie.service": []byte(tie)}}))
				require.Equal(t, engine.Committed, d.Over().State)
				d.Whole(version)
			}
			require.Equal(t, "0", d.Property(bootedtest.Daemon, "NRestarts"))
		})
	}
}
