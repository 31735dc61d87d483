package systemd_test

import (
	"bufio"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// Units that cannot run, on a real systemd: each kind has an error of its own,
// which says what to do.
func TestUnitsThatCannotRun(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{
		"hidden.service":   runs,
		"nonsense.service": "[Service]\nType=nonsense\n",
		"wrong.service":    "[Service]\nExecStart=/nonexistent/program\n",
		"refuses.service":  "[Service]\nType=oneshot\nExecStart=sh -c 'exit 7'\n",
	})
	d.MustRun("rm", "/etc/systemd/system/hidden.service")
	d.MustRun("systemctl", "mask", "hidden.service")
	for _, c := range []struct {
		unit     string
		kind     error
		unusable string
		says     []string
	}{
		{"hidden", service.ErrUnusable, "masked", []string{"systemctl unmask hidden.service"}},
		{"nonsense", service.ErrUnusable, "bad-setting", []string{"systemctl status nonsense.service", "daemon-reload"}},
		{"missing", service.ErrNotFound, "", []string{"install its unit file", "daemon-reload"}},
		{"refuses", service.ErrFailed, "", []string{"exit status 7"}},
	} {
		st, err := d.Status(t.Context(), svc(c.unit))
		require.NoError(t, err)
		require.Equal(t, c.unusable, st.Unusable(), c.unit)
		for _, act := range []func(context.Context, service.Service) error{d.Manager.Start, d.Restart} {
			err := act(t.Context(), svc(c.unit))
			require.ErrorIs(t, err, c.kind)
			for _, part := range append(c.says, "cannot", c.unit+".service") {
				require.ErrorContains(t, err, part)
			}
		}
		require.NoError(t, d.Stop(t.Context(), svc(c.unit)), "nothing of it runs")
	}

	// The start job of a simple service is done before systemd knows whether its
	// program exists: only the service's state tells.
	_ = d.Manager.Start(t.Context(), svc("wrong"))
	d.Wait("it has failed", func() bool {
		st, err := d.Status(t.Context(), svc("wrong"))
		return err == nil && st.Active == service.Broken && st.ExitStatus == 203
	})
	d.Write("/etc/systemd/system/wrong.service", runs, 0o644)
	st, err := d.Status(t.Context(), svc("wrong"))
	require.NoError(t, err)
	require.True(t, st.Stale)
	require.NoError(t, d.Reload(t.Context()))
	st, err = d.Status(t.Context(), svc("wrong"))
	require.NoError(t, err)
	require.False(t, st.Stale)
	require.NoError(t, d.Restart(t.Context(), svc("wrong")), "a unit that failed before can be started once it is repaired")
	require.Equal(t, "active", d.active("wrong.service"))
}

func TestUnitsThatHang(t *testing.T) {
	t.Parallel()
	const deaf = "[Service]\nTimeoutStopSec=infinity\nExecStart=sh -c 'trap \"\" TERM; touch /run/deaf; sleep infinity & wait; sleep infinity'\n"
	d := deviceWith(t, map[string]string{
		"never.service": "[Service]\nType=notify\nExecStart=sleep infinity\nTimeoutStartSec=infinity\n",
		"deaf.service":  deaf,
		"deaf2.service": deaf,
		"post.service":  "[Service]\nExecStart=sleep infinity\nTimeoutStopSec=infinity\nExecStopPost=sleep infinity\n",
	})
	err := d.Manager.Start(t.Context(), soon("never"))
	require.ErrorIs(t, err, service.ErrTimeout)
	require.ErrorContains(t, err, "the unit is activating (start); see journalctl -u never.service")
	require.NoError(t, d.Stop(t.Context(), soon("never")), "its job does not stand in the way of a stop")
	require.Equal(t, "inactive", d.active("never.service"))

	for _, name := range []string{"deaf", "post"} {
		require.NoError(t, d.Manager.Start(t.Context(), soon(name)))
		if name == "deaf" {
			d.Wait("it hears no more", func() bool { _, err := d.Run("test", "-e", "/run/deaf"); return err == nil })
		}
		began := clock.System().Monotonic()
		require.NoError(t, d.Stop(t.Context(), soon(name)), "%s is killed, and that is a stop", name)
		require.GreaterOrEqual(t, clock.System().Monotonic()-began, time.Second, "it has the time it is configured to have")
		said, _ := d.Run("systemctl", "status", "--lines=0", name+".service") // exits with 3: it has failed
		require.Contains(t, said, "(Result: signal)")
		require.NotContains(t, said, "CGroup:", "nothing of it runs")
	}
	require.NoError(t, d.Manager.Start(t.Context(), soon("deaf2")))
	before, err := d.Status(t.Context(), soon("deaf2"))
	require.NoError(t, err)
	require.NoError(t, d.Restart(t.Context(), soon("deaf2")))
	after, err := d.Status(t.Context(), soon("deaf2"))
	require.NoError(t, err)
	require.NotEqual(t, before.MainPID, after.MainPID)
	require.Equal(t, service.Running, after.Active)
}

// When a bus dies, the signal that a job has ended is lost, but not the job.
func TestABusThatDies(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{
		"slow.service": "[Service]\nExecStartPre=sh -c 'touch /run/begun; until test -e /run/go; do sleep 0.02; done'\nExecStart=sleep infinity\n",
	})
	for name, ways := range map[string][]way{"the bus alone": {d.bus}, "the bus, then the private socket": {d.bus, d.private}} {
		t.Run(name, func(t *testing.T) {
			d.MustRun("rm", "-f", "/run/begun", "/run/go")
			m := d.manager(t, ways...)
			started := make(chan error, 1)
			go func() { started <- m.Start(t.Context(), svc("slow")) }()
			d.Wait("the job runs", func() bool { _, err := d.Run("test", "-e", "/run/begun"); return err == nil })
			if len(ways) > 1 {
				d.MustRun("systemctl", "stop", "dbus.socket", "dbus.service")
			} else {
				d.MustRun("systemctl", "kill", "--signal=KILL", "dbus.service")
			}
			d.Write("/run/go", "", 0o644)
			require.NoError(t, <-started)
			st, err := m.Status(t.Context(), svc("slow"))
			require.NoError(t, err)
			require.Equal(t, service.Running, st.Active)
			d.MustRun("systemctl", "start", "dbus.socket", "dbus.service")
			require.NoError(t, m.Stop(t.Context(), svc("slow")))
			require.NoError(t, m.Reload(t.Context()))
		})
	}
	t.Run("as on a device, without a bus", func(t *testing.T) {
		require.NoError(t, d.Manager.Start(t.Context(), svc("slow")))
		d.MustRun("systemctl", "stop", "dbus.socket", "dbus.service")
		require.Equal(t, "active <nil>\n", d.MustRun(relayPath, relayArg, "slow"))
		stopping, err := d.Stopping(t.Context())
		require.NoError(t, err, "no logind, no announcement")
		require.False(t, stopping)
	})
}

// A shutdown waits for the program that puts it off, and Stopping reports it
// meanwhile.
func TestAnOrderlyRebootWaits(t *testing.T) {
	t.Parallel()
	d := deviceWith(t, map[string]string{"api.service": runs})
	require.NoError(t, d.Manager.Start(t.Context(), svc("api")))
	d.MustRun("systemctl", "start", "systemd-logind.service")
	cmd, err := d.Command(t.Context(), relayPath, relayArg, "hold")
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)
	require.Contains(t, d.MustRun("systemd-inhibit", "--list"), "a test")

	d.MustRun("systemctl", "--no-block", "reboot")
	d.Wait("the shutdown is announced", func() bool {
		stopping, err := d.Stopping(t.Context())
		return err == nil && stopping
	})
	st, err := d.Status(t.Context(), svc("api"))
	require.NoError(t, err)
	require.Equal(t, service.Running, st.Active, "it only is announced so far")
	require.Equal(t, 1, d.Boots())
	require.NoError(t, in.Close())
	_ = cmd.Wait() // the machine ends it
	d.AwaitBoots(2)
}

// systemd's own limits rule a start, also where they are longer than the time that the
// service has to stop: for each command of its own, and more when the service asks.
func TestStartsThatTakeLong(t *testing.T) {
	t.Parallel()
	const notify = "Type=notify\nNotifyAccess=all\n"
	d := deviceWith(t, map[string]string{
		"prepares.service": "[Service]\nTimeoutStartSec=6\nExecStartPre=sleep 4\nExecStartPre=sleep 4\nExecStart=sleep infinity\n",
		"extends.service": "[Service]\n" + notify + "TimeoutStartSec=2\nExecStart=sh -c " +
			`'for n in 1 2 3 4 5 6 7 8; do systemd-notify EXTEND_TIMEOUT_USEC=2000000; sleep 1; done; systemd-notify READY=1; sleep infinity'` + "\n",
		"hangs.service": "[Service]\n" + notify + "TimeoutStartSec=7\nExecStart=sleep infinity\n",
	})
	over := map[string]chan error{}
	for _, name := range []string{"prepares", "extends", "hangs"} {
		done := make(chan error, 1)
		over[name] = done
		go func() { done <- d.Restart(t.Context(), soon(name)) }()
	}
	require.NoError(t, <-over["prepares"])
	require.NoError(t, <-over["extends"])
	err := <-over["hangs"]
	require.ErrorIs(t, err, service.ErrFailed, "systemd has ended it, not the updater")
	require.ErrorContains(t, err, "did not start or stop in time (timeout)")
}
