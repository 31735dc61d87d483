package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/fetch"
	"github.com/tope/updater/platform/metered"
)

// thrift keeps downloads for the fleet off metered networks, and within a number of bytes
// a day. What people ask for on the device is not bound, but counts. Safe for concurrent
// use.
type thrift struct {
	web    *fetch.Transport
	clock  clock.Clock
	zone   *time.Location
	budget int64
	// metered is nil where it does not matter that a network is metered.
	metered func(context.Context) (bool, error)
	// path is the file that has the day's bytes over a restart.
	path string

	mu sync.Mutex
	// day is the one that is counted, used what had come on it by the time that Count was at.
	day      string
	used, at int64
	kept     int64
	// asked is when it was asked last whether the network is metered; costs is the answer.
	asked time.Duration
	costs bool
}

const (
	// askAgain is how long an answer about the network counts.
	askAgain = 30 * time.Second
	// keepEvery is how many bytes may come until the day's count is written down.
	keepEvery = 1 << 20
)

// thrift makes the gate of the transport; nil when nothing binds this device.
func (p *parts) thrift(zone *time.Location) func(context.Context) (string, time.Time) {
	c := p.cfg.Fleet
	t := &thrift{web: p.web, clock: p.clock, zone: zone, budget: int64(c.DataBudget), asked: -askAgain} //nolint:gosec // below the largest
	if c.Metered == config.MeteredWait {
		t.metered = metered.Metered
	}
	if t.budget <= 0 && t.metered == nil {
		return nil
	}
	if dir, err := p.root.Resolve(p.cfg.Paths.State); err == nil {
		t.path = filepath.Join(dir, "data-today")
	}
	t.recall()
	p.web.SetGate(func() error {
		ctx, cancel := clock.WithTimeout(context.Background(), p.clock, 5*time.Second, errors.New("no answer"))
		defer cancel()
		if why, _ := t.why(ctx); why != "" {
			return errors.New(why)
		}
		return nil
	})
	return t.why
}

// why says why nothing may be downloaded now, and until when.
func (t *thrift) why(ctx context.Context) (string, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.budget > 0 {
		if used := t.count(); used >= t.budget {
			until := t.tomorrow()
			return fmt.Sprintf("today's data budget of %d MB is used up, until %s", t.budget/1_000_000, until.Format("15:04 MST")), until
		}
	}
	if t.metered == nil {
		return "", time.Time{}
	}
	if now := t.clock.Monotonic(); now-t.asked >= askAgain {
		costs, err := t.metered(ctx)
		t.asked, t.costs = now, costs && err == nil // a device without NetworkManager cannot tell
	}
	if t.costs {
		return "the network is metered", time.Time{}
	}
	return "", time.Time{}
}

// count is how much has come today.
func (t *thrift) count() int64 {
	now := t.web.Count()
	if today := t.today(); today != t.day {
		t.day, t.used, t.kept = today, 0, 0
	} else {
		t.used += now - t.at
	}
	t.at = now
	if t.used-t.kept >= keepEvery || t.used >= t.budget && t.kept < t.budget {
		t.keep()
	}
	return t.used
}

func (t *thrift) today() string { return t.clock.Now().In(t.zone).Format(time.DateOnly) }

func (t *thrift) tomorrow() time.Time {
	y, m, d := t.clock.Now().In(t.zone).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, t.zone)
}

// keep writes the day's count down. It is not synced: after a power cut the file is the old
// one or the new one, or has nothing that can be read, and then as much may be downloaded
// once more that day. A budget is not worth a sync for each mebibyte.
func (t *thrift) keep() {
	t.kept = t.used
	if t.path == "" {
		return
	}
	text := t.day + " " + strconv.FormatInt(t.used, 10) + "\n"
	if err := os.WriteFile(t.path+".new", []byte(text), 0o644); err == nil {
		_ = os.Rename(t.path+".new", t.path) // as above
	}
}

// recall reads what was kept.
func (t *thrift) recall() {
	t.day, t.at = t.today(), t.web.Count()
	text, err := os.ReadFile(t.path)
	if err != nil {
		return
	}
	day, used, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if n, err := strconv.ParseInt(used, 10, 64); err == nil && n > 0 && day == t.day {
		t.used, t.kept = n, n
	}
}
