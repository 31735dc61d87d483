package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/platform/deviceapi"
	"github.com/tope/updater/platform/disk"
)

const (
	// reportTick is how often progress is looked at while an update is open.
	reportTick = 500 * time.Millisecond
	// ackTick is how often the daemon asks whether the final report has arrived.
	ackTick = 2 * time.Second
)

// report tells device-api how updates go, until ctx ends. It looks at the
// engine's status only: nothing waits for it.
func (d *daemon) report(ctx context.Context, e *engine.Engine) {
	if d.cfg.DeviceAPI.URL == "" {
		return
	}
	r := deviceapi.New(deviceapi.Config{URL: d.cfg.DeviceAPI.URL, Clock: d.clock, Log: d.log})
	var sending sync.WaitGroup
	sending.Go(func() { r.Run(ctx) })
	defer sending.Wait()
	told := d.reported()
	for ctx.Err() == nil {
		changed := e.Changed() // before the status, so that no change is missed
		var again <-chan time.Time
		st := e.Status()
		switch u := newestOf(st); {
		case u == nil || u.ID == told:
		case st.Replacing: // nothing has failed, and the next update is about to begin
		case !engine.Terminal(u.State):
			r.Submit(reportOf(*u))
			again = d.clock.After(reportTick)
		default:
			final := reportOf(*u)
			r.Submit(final)
			if got, ok := r.Delivered(); ok && sameReport(got, final) {
				told = u.ID
				d.setReported(told)
				continue
			}
			again = d.clock.After(ackTick)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
}

func newestOf(st engine.Status) *engine.UpdateStatus {
	if st.Update != nil {
		return st.Update
	}
	return st.Last
}

// reportOf tells how an update stands, in the legacy API's words. An end that was
// not reported yet is news, however long ago it was. A report is read later than it
// is written, so it does not count the seconds to the next try.
func reportOf(u engine.UpdateStatus) deviceapi.Report {
	u.SinceEnd = 0
	if u.Pause != nil {
		u.Pause = &engine.Pause{Why: u.Pause.Why, Outline: u.Pause.Outline}
	}
	v := legacy.Of(engine.Status{Update: &u})
	return deviceapi.Report{Stage: string(v.Stage), Progress: v.Progress, Message: v.Message, Error: v.Error}
}

func sameReport(a, b deviceapi.Report) bool {
	text := func(r deviceapi.Report) string {
		if r.Error == nil {
			return ""
		}
		return *r.Error
	}
	return a.Stage == b.Stage && a.Progress == b.Progress && a.Message == b.Message && text(a) == text(b)
}

// reported is the newest update whose end device-api has acknowledged. The
// file that says so is a memory aid: without it the end is reported once more.
func (d *daemon) reported() string {
	path, err := d.root.Path(d.cfg.Paths.State + "/reported")
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (d *daemon) setReported(update string) {
	path, err := d.root.Path(d.cfg.Paths.State + "/reported")
	if err == nil {
		err = disk.WriteFile(path, []byte(update+"\n"), 0o644)
	}
	if err != nil {
		d.log.Warn("cannot note that device-api has the final report", "err", err)
	}
}
