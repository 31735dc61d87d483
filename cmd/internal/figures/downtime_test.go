package figures_test

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/platform/service/embedded"
)

// readyLate is a service that listens 100 ms after its start.
const readyLate = "ready-after=100ms"

// downtime: how long a device's users miss its services during an update, seen
// from outside, against a bare stop and start of the same services.
func downtime(b *testing.B, l *lab) []row {
	updated := l.boot(b, fixtures.Options{}, late("1.0.0"))
	plain := l.boot(b, fixtures.Options{}, late("1.0.0"))
	w1, w2 := watch(b, updated.Ports), watch(b, plain.Ports)
	plain.stop(b)
	// The services outlive their updater; this manager adopts them.
	m, err := plain.Manager()
	require.NoError(b, err)
	var ours, floor []time.Duration
	for i := range 9 {
		src := l.offer(b, late(fmt.Sprintf("1.2.%d", i)))
		ours = append(ours, w1.gap(b, func() { updated.install(b, src) }))
		floor = append(floor, w2.gap(b, func() { bounce(b, m, plain.Device) }))
	}
	require.NoError(b, m.Close())
	require.NoError(b, plain.Remove(b.Context()))
	plain.gone = true
	updated.scrap(b)
	return []row{against("downtime", "service downtime, against a bare stop and start (ready after 100 ms)", median(ours), median(floor), 1.2)}
}

func late(version string) fixtures.Release {
	return fixtures.Release{Version: version, DeviceAPI: readyLate, WebServer: readyLate}
}

// bounce stops the services and starts them, in their order, and nothing more.
func bounce(b *testing.B, m *embedded.Manager, d *fixtures.Device) {
	b.Helper()
	list := d.Services()
	for i := range list {
		require.NoError(b, m.Stop(b.Context(), list[len(list)-1-i]))
	}
	for _, s := range list {
		require.NoError(b, m.Start(b.Context(), s))
	}
}

// watcher looks at the services' ports every millisecond.
type watcher struct {
	ports []int
	up    atomic.Bool // all of them

	// mu guards the current gap.
	mu           sync.Mutex
	began, ended time.Time
}

// watch begins when all services are up, and goes on until the benchmark ends.
func watch(b *testing.B, p fixtures.Ports) *watcher {
	w := &watcher{ports: []int{p.DeviceAPI, p.WebServer}}
	done, stopped := make(chan struct{}), make(chan struct{})
	b.Cleanup(func() { close(done); <-stopped })
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				w.look()
			}
		}
	}()
	require.Eventually(b, w.up.Load, 10*time.Second, time.Millisecond, "the services do not come up")
	return w
}

func (w *watcher) look() {
	up := true
	for _, port := range w.ports {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			up = false
			break
		}
		conn.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.up.Swap(up)
	switch now := time.Now(); {
	case was && !up && w.began.IsZero():
		w.began = now
	case !was && up:
		w.ended = now
	}
}

// gap is how long f kept some service from answering.
func (w *watcher) gap(b *testing.B, f func()) time.Duration {
	b.Helper()
	w.mu.Lock()
	w.began, w.ended = time.Time{}, time.Time{}
	w.mu.Unlock()
	f()
	over := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.up.Load() && w.ended.After(w.began)
	}
	require.Eventually(b, over, 10*time.Second, time.Millisecond, "the services did not go down and come up again")
	return w.ended.Sub(w.began)
}
