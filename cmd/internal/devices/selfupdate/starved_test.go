package selfupdate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/engine"
)

// Anybody may take the memory of a device. A release whose own updater is killed for that
// while it judges, more often than its budget and its takeovers allow, is not blamed.
func TestAnUpdaterThatRunsOutOfMemoryIsNotBlamed(t *testing.T) {
	t.Parallel()
	d := newSelfDevice(t, devicetest.Options{Config: held})
	d.Write("/etc/hold", "", 0o644)
	d.OutOfMemory(1)
	d.Write("/etc/systemd/system/"+devicetest.Daemon+".d/test.conf", "[Service]\nRestartSec=100ms\n", 0o644)
	d.Up()
	d.Begin(d.Offer(updater("1.1.0", d.fresh)))
	for range 4 {
		d.Wait("the version's updater judges", func() bool { return d.runs() == digest(d.fresh) })
		d.killDaemon()
	}
	d.Wait("the version's updater judges again", func() bool { return d.runs() == digest(d.fresh) })
	d.MustRun("rm", "/etc/hold")
	u := d.Over()
	require.Equal(t, engine.Committed, u.State, "%+v", u)
	d.Whole("1.1.0")
	d.is(d.fresh)
	require.Contains(t, d.story(), "had run out of memory")
	st := d.Answers()
	require.Empty(t, st.Quarantine)
}
