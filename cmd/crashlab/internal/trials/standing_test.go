//go:build linux && amd64

package trials_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
	"github.com/tope/updater/engine"
)

// machine is one boot of a device, which can be made to stand still before each
// call that changes the device. All machines share one network, in which
// each device has addresses of its own.
type machine struct {
	*trace.Machine
	d *device
	// watched: calls wait until they are released.
	watched atomic.Bool
	stands  chan struct{}
	letGo   chan struct{}
	free    chan struct{}
}

// boot starts a machine on which nothing runs yet. Processes of the device
// outside of it have to be stopped.
func (d *device) boot() *machine {
	d.t.Helper()
	m := &machine{d: d, stands: make(chan struct{}), letGo: make(chan struct{}), free: make(chan struct{})}
	d.emptyRun()
	require.NoError(d.t, os.WriteFile(d.log, nil, 0o644))
	var err error
	m.Machine, err = trace.Boot(trace.Config{Dir: d.Root, Handler: m.stand})
	require.NoError(d.t, err)
	d.t.Cleanup(m.off)
	return m
}

// off cuts the power; nothing is left in /run, as after any reboot.
func (m *machine) off() {
	m.release()
	m.Off()
	m.d.emptyRun()
}

// emptyRun gives /run the state that it has after a boot.
func (d *device) emptyRun() {
	d.t.Helper()
	all, err := filepath.Glob(filepath.Join(d.Root, "run/*"))
	require.NoError(d.t, err)
	for _, path := range all {
		require.NoError(d.t, os.RemoveAll(path))
	}
}

func (m *machine) stand(*trace.Call) trace.Verdict {
	if !m.watched.Load() {
		return trace.Verdict{}
	}
	select {
	case m.stands <- struct{}{}:
		select {
		case <-m.letGo:
		case <-m.free:
		}
	case <-m.free:
	}
	return trace.Verdict{}
}

func (m *machine) command(background bool, args ...string) trace.Command {
	return trace.Command{
		Args: append([]string{updater(m.d.t), "--config", m.d.Config, "--root", m.d.Root}, args...),
		Env:  trace.Environ(), Stdout: m.d.log, Stderr: m.d.log, Background: background,
	}
}

// must runs a verb that has to end with this exit code.
func (m *machine) must(exit int, args ...string) {
	m.d.t.Helper()
	is, err := m.Run(m.d.t.Context(), m.command(false, args...))
	require.NoError(m.d.t, err)
	require.Equal(m.d.t, exit, is)
}

// start runs a verb in the background.
func (m *machine) start(args ...string) {
	m.d.t.Helper()
	_, err := m.Run(m.d.t.Context(), m.command(true, args...))
	require.NoError(m.d.t, err)
}

// standAtEach runs a verb that updates the device. When the update is first found
// in a state, it calls enough, while the machine stands still before the next
// call. It ends with the update, or, when enough is true, while the machine
// stands still; it reports whether enough was true.
func (m *machine) standAtEach(enough func(engine.State) bool, args ...string) bool {
	t := m.d.t
	t.Helper()
	m.watched.Store(true)
	m.start(args...)
	var last engine.State
	impatient := time.After(2 * patience)
	for {
		select {
		case <-m.stands:
		case <-impatient:
			said, _ := os.ReadFile(m.d.log)
			require.FailNow(t, "the update did not end", "it was last %s\n%s", last, said)
		}
		switch u := m.d.fold().Open; {
		case u == nil && last != "":
			m.release()
			return false
		case u != nil && u.State != last:
			last = u.State
			if enough(last) {
				return true
			}
		}
		m.letGo <- struct{}{}
	}
}

// release lets calls go on unwatched.
func (m *machine) release() {
	if m.watched.CompareAndSwap(true, false) {
		close(m.free)
	}
}
