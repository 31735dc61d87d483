package figures_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/restart"
)

// many services that do not wait for each other are stopped and started with an update.
const many = 150

// together: the downtime of an update with many services, against one call each of
// systemctl that stops and starts the same ones.
func together(b *testing.B, l *lab) []row {
	var config strings.Builder
	var units []string
	for i := range many {
		fmt.Fprintf(&config, "[[service]]\nname = \"plain-%d\"\noutside_versions = true\n[[service.health]]\nkind = \"active\"\nstable = \"100ms\"\n", i)
		units = append(units, fmt.Sprintf("plain-%d.service", i))
	}
	d := devicetest.New(b, devicetest.Options{Program: l.shipped(runtime.GOARCH), Config: config.String(), Timeout: time.Minute})
	for _, unit := range units {
		d.Write("/etc/systemd/system/"+unit, "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n", 0o644)
		d.Enable(unit, "multi-user.target")
	}
	d.Up()
	all := append(units, devicetest.DeviceAPI, devicetest.WebServer)
	var ours, floor []time.Duration
	for i := range 3 {
		d.Begin(d.Offer(fixtures.Release{Version: fmt.Sprintf("1.1.%d", i)}))
		u := d.Over()
		require.Equal(b, engine.Committed, u.State, "%+v", u.Error)
		for _, r := range d.Records(u.ID) {
			var ev restart.Evidence
			if string(r.Step) == string(steps.Restart) && json.Unmarshal(r.Evidence, &ev) == nil && ev.Downtime > 0 {
				ours = append(ours, ev.Downtime)
			}
		}
		began := time.Now()
		d.MustRun(append([]string{"systemctl", "stop"}, all...)...)
		d.MustRun(append([]string{"systemctl", "start"}, all...)...)
		floor = append(floor, time.Since(began))
	}
	require.Len(b, ours, len(floor))
	return []row{against("together", fmt.Sprintf("downtime with %d services, against systemctl stop and start of all of them", many+2), median(ours), median(floor), 1.5)}
}
