package systemd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
)

const runs = "[Service]\nExecStart=sleep infinity\nRestart=always\nRestartSec=50ms\n"

// The real systemd passes the suite, by either of the two ways to it.
func TestARealSystemdConforms(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{
		"good.service": runs, "other.service": runs,
		"bad.service": "[Unit]\nStartLimitBurst=3\n[Service]\nExecStart=sh -c 'exit 3'\nRestart=always\nRestartSec=1ms\n",
	})
	for name, by := range map[string]way{"over its private socket": d.private, "over the bus": d.bus} {
		t.Run(name, func(t *testing.T) {
			servicetest.Conform(t, func(t *testing.T) servicetest.Subject {
				d.MustRun("systemctl", "stop", "good", "other", "bad")
				d.MustRun("systemctl", "reset-failed")
				d.MustRun("systemctl", "daemon-reload")
				m := d.manager(t, by)
				return servicetest.Subject{
					Manager: m, Clock: clock.System(), Good: svc("good"), Other: svc("other"), Bad: svc("bad"), Unknown: svc("nosuch"),
					Kill: func(_ *testing.T, pid int) { d.kill(pid) },
					Again: func(t *testing.T) service.Manager {
						require.NoError(t, m.Close())
						return d.manager(t, by)
					},
				}
			})
		})
	}
}
