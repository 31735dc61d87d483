package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/deviceapi"
)

const (
	// reportTick is how often progress is looked at while an update is open.
	reportTick = 500 * time.Millisecond
	// ackTick is how often the daemon asks whether the final report has arrived.
	ackTick = 2 * time.Second
)

// report tells device-api how updates go, until ctx ends. Progress is what the engine's
// status says, and nothing waits for it. The end of an update is owed: it stands in the
// journal's outbox until device-api has acknowledged it. While a newer update is under way
// device-api hears of that one; its end takes the place of the end before.
func (d *daemon) report(ctx context.Context, e *engine.Engine) {
	if d.cfg.DeviceAPI.URL == "" {
		return
	}
	r := deviceapi.New(deviceapi.Config{URL: d.cfg.DeviceAPI.URL, Clock: d.clock, Log: d.log})
	var sending sync.WaitGroup
	sending.Go(func() { r.Run(ctx) })
	defer sending.Wait()
	d.takeOverReported(ctx, e)
	for ctx.Err() == nil {
		changed := e.Changed() // before the status, so that no change is missed
		var again <-chan time.Time
		st, owed := e.Status(), e.Journal().OwedTo(deviceAPI)
		switch u := newestOf(st); {
		case st.Replacing: // nothing has failed, and the next update is about to begin
		case u != nil && !engine.Terminal(u.State):
			r.Submit(reportOf(*u))
			again = d.clock.After(reportTick)
		case owed != nil:
			end := reportOf(endOwed(u, owed))
			r.Submit(end)
			if got, ok := r.Delivered(); ok && sameReport(got, end) {
				err := e.Told(ctx, *owed, "")
				if err == nil {
					continue
				}
				d.log.Warn("cannot note that device-api has the final report", "err", err)
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

// endOwed is the update whose end is owed: the newest one, u, unless the journal was damaged
// since. Then it is what the outbox knows of it.
func endOwed(u *engine.UpdateStatus, owed *journal.Notice) engine.UpdateStatus {
	if u != nil && u.ID == owed.Update {
		return *u
	}
	s := engine.UpdateStatus{ID: owed.Update, Kind: engine.Install, State: owed.State, From: owed.From, To: owed.Version}
	if f := owed.Error; f != nil {
		s.Error = &engine.ErrorStatus{Code: f.Code, Class: f.Class, Text: f.Text, Outline: f.Outline}
	}
	return s
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
	return deviceapi.Report{Stage: string(v.Stage), Progress: v.Progress, Message: v.Message, Error: v.Error, Update: u.ID}
}

func sameReport(a, b deviceapi.Report) bool {
	text := func(r deviceapi.Report) string {
		if r.Error == nil {
			return ""
		}
		return *r.Error
	}
	return a.Update == b.Update && a.Stage == b.Stage && a.Progress == b.Progress && a.Message == b.Message && text(a) == text(b)
}

// takeOverReported puts the end of an update that a program before 0.10 has ended into the
// outbox. Such a program noted in the file "reported" which update's end device-api had
// acknowledged last; the file goes once the journal says it.
func (d *daemon) takeOverReported(ctx context.Context, e *engine.Engine) {
	path, err := d.root.Path(d.cfg.Paths.State + "/reported")
	if err == nil {
		text, _ := os.ReadFile(path) // without it the end is told once more
		err = e.OweEnd(ctx, func(_, update string) bool { return update == strings.TrimSpace(string(text)) })
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
		d.log.Warn("cannot take over what device-api was told by an earlier program", "err", err)
	}
}
