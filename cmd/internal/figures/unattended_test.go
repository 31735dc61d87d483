package figures_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// polled: what a poll of an unchanged channel costs on the wire, both ways, without the
// set-up of TLS.
func polled(b *testing.B, l *lab) []row {
	c := openChannel(b, l)
	c.release(b, "1.0.1", 1, map[string][]byte{"services/data/a": []byte("a")})
	c.publish(b)
	var rows []row
	for _, host := range []string{"nginx", "s3"} {
		d := c.device(b, l, c.ask(host, "policy = \"check\"\n"))
		whole := c.cost(b, d)
		again := c.cost(b, d)
		require.Less(b, again, whole, "an unchanged channel is fetched again")
		d.scrap(b)
		rows = append(rows, row{
			what: fmt.Sprintf("one poll of an unchanged channel, both ways, headers of %s", host), metric: "B-poll-" + host,
			ours: quantity{float64(again), wireBytes}, reach: 600,
		})
	}
	return rows
}

// cost is what the device's next question costs.
func (c *channelSite) cost(b *testing.B, d *device) int64 {
	b.Helper()
	before := c.bytes.Load()
	d.check(b)
	return c.bytes.Load() - before
}

// The turns of the daemons with a channel and without, and how long each turn watches them.
// A daemon wakes up every 20 s to look for keys, first 20 s after its start. How often the
// runtime then looks at the clock depends on what else the machine does, hence the medians.
const (
	idleTurns   = 5
	idleTurn    = 40 * time.Second
	idleSettled = 25 * time.Second
	// manyPolls are those of 75 days.
	manyPolls = 300
)

// unattended: what a daemon that polls a channel every six hours takes from a device with
// nothing to do, against the same daemon without. Both are watched in the same seconds.
func unattended(b *testing.B, l *lab) []row {
	c := openChannel(b, l)
	c.release(b, "1.0.1", 1, map[string][]byte{"services/data/a": []byte("a")})
	c.publish(b)
	with := idler{config: c.ask("nginx", "policy = \"check\"\n"), polls: true}
	without := idler{config: "[device]\nproduct = \"figures\"\n"}
	var aged float64
	for i := range idleTurns {
		turn := []*idler{&without, &with}
		if i%2 == 1 {
			slices.Reverse(turn) // so that neither is always the first
		}
		for _, it := range turn {
			it.device = c.device(b, l, it.config)
			if it.polls {
				it.check(b)
			}
		}
		time.Sleep(idleSettled) // there is no signal for the end of its whole start
		for _, it := range turn {
			it.woken = wokenUp(b, it.proc())
		}
		time.Sleep(idleTurn)
		for _, it := range turn {
			it.wakeups = append(it.wakeups, float64(wokenUp(b, it.proc())-it.woken)/idleTurn.Seconds())
			it.resident = append(it.resident, it.memory(b))
		}
		if i == idleTurns-1 {
			for range manyPolls {
				with.check(b)
			}
			aged = with.memory(b)
		}
		with.scrap(b)
		without.scrap(b)
	}
	rss := func(i idler) quantity { return quantity{middle(i.resident), mebibytes} }
	wakeups := func(i idler) quantity { return quantity{middle(i.wakeups), decimal} }
	return []row{
		{what: "daemon at idle with a channel: resident memory", metric: "B-unattended", ours: rss(with), reach: 18 * mebi},
		{what: "the same, against that daemon without", metric: "B-unattended", ours: rss(with), floor: ref(rss(without)), reach: 1.05},
		{what: "the same after 300 polls", metric: "B-unattended-300", ours: quantity{aged, mebibytes}, reach: 18 * mebi},
		{
			what: "daemon at idle with a channel: wake-ups of all its threads a second, against that daemon without", metric: "wakeups-unattended",
			ours: wakeups(with), floor: ref(wakeups(without)), reach: 1.1,
		},
	}
}

// idler is a device with nothing to do, a new one in each turn.
type idler struct {
	*device
	config string
	// polls: it has asked its channel before it is watched.
	polls bool
	woken int
	// wakeups are those a second, and resident the bytes in memory, of each turn.
	wakeups, resident []float64
}

func (i *idler) proc() string { return fmt.Sprintf("/proc/%d", i.daemon.Process.Pid) }

func (i *idler) memory(b *testing.B) float64 {
	return float64(field(b, filepath.Join(i.proc(), "status"), "VmRSS:") << 10)
}

func middle(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

// pushTurns is how many releases are published, and installed on two devices.
const pushTurns = 8

// pushed: the time from publishing a release until a device that is told "fleet check" has
// committed it, against "install URL" of the same bundle on a device with the same past. The
// two devices take turns at being the one that is told to check.
func pushed(b *testing.B, l *lab) []row {
	c := openChannel(b, l)
	var devices []*device
	for range 2 {
		devices = append(devices, c.device(b, l, c.ask("nginx", "")))
	}
	var ours, floor []time.Duration
	for i := range pushTurns {
		version := fmt.Sprintf("1.1.%d", i)
		c.release(b, version, i+1, map[string][]byte{
			"services/data/same": random(1), "services/data/text": prose(2), "services/data/new": random(byte(10 + i)),
		})
		c.publish(b)
		asks, told := devices[i%2], devices[1-i%2]
		check := func() { ours = append(ours, asks.committed(b, version, "fleet", "check")) }
		install := func() {
			floor = append(floor, told.committed(b, version, "install", "--no-wait", c.url+"nginx/app-"+version+".tope"))
		}
		turn := []func(){check, install}
		if i/2%2 == 1 {
			slices.Reverse(turn) // the second finds the bundle in the server's cache
		}
		for _, f := range turn {
			f()
		}
	}
	for _, d := range devices {
		d.scrap(b)
	}
	check, install := median(ours), median(floor)
	return []row{
		against("pushed", "fleet check → Committed, a release of 15 MB just published, against install URL", check, install, 0),
		{what: "what the way by the channel takes longer", metric: "s-pushed", ours: duration(max(0, check-install)), reach: 1},
	}
}
