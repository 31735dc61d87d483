package figures_test

import (
	"testing"

	"github.com/tope/updater/cmd/internal/fixtures"
)

// memory: the most memory the daemon has ever had resident, after a whole update.
// The largest of the runs counts.
func memory(b *testing.B, l *lab) []row {
	peak := func(r fixtures.Release, runs int) float64 {
		src := l.offer(b, r)
		most := 0.0
		for range runs {
			d := l.boot(b, nobody(), fixtures.Release{})
			d.install(b, src)
			most = max(most, highWater(b, d.daemon.Process.Pid))
			d.scrap(b)
		}
		return most
	}
	const limit = 20 * mebi
	return []row{
		{what: "peak memory (VmHWM) of serve, 10 MB package", metric: "B-10MB", ours: quantity{peak(release(tenMB, 2, 0), 5), mebibytes}, reach: limit},
		{what: "peak memory (VmHWM) of serve, 1 GB package", metric: "B-1GB", ours: quantity{peak(release(oneGB, 160, 120), 2), mebibytes}, reach: limit},
	}
}
