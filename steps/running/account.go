package running

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

const (
	// logLines and logBytes bound what is kept of a service's log.
	logLines = 10
	logBytes = 2 << 10
	// logPatience bounds the time that reading a log may take.
	logPatience = 4 * time.Second
)

// Accounts tells, for people, why services are not well: how each stands, that it was
// not well before the update either, and the end of its log since the switch; and, by
// service, the last line that it has printed itself. It looks only, and what it cannot
// learn it leaves out: the step fails for its own reason. A service that runs has only its
// log told.
func Accounts(ctx context.Context, m service.Manager, c clock.Clock, t *steps.Task, list ...service.Service) (told string, lastWords map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	var lines []string
	lastWords = map[string]string{}
	for _, svc := range list {
		if now, err := look.ServiceAt(ctx, m, svc); err == nil && now.Condition() != look.Up {
			lines = append(lines, now.String())
		}
		if FailedBefore(t, svc.Name) {
			lines = append(lines, svc.Name+" failed before the update, too")
		}
		log, last := endOfLog(ctx, m, c, t, svc)
		if len(log) > 0 {
			lines = append(append(lines, "log of "+svc.Name+":"), log...)
		}
		lastWords[svc.Name] = last
	}
	return strings.Join(lines, "\n"), lastWords
}

// explain adds a service's account to a step's error that is about the service.
func explain(ctx context.Context, m service.Manager, c clock.Clock, t *steps.Task, svc service.Service, err error) error {
	e := steps.AsError(err)
	if e.Class != steps.Unhealthy && e.Class != steps.Local {
		return err
	}
	state := steps.OneLine(e.Err.Error())
	if FailedBefore(t, svc.Name) {
		state += " (it failed before the update, too)"
	}
	told := *e
	var last map[string]string
	told.Details, last = Accounts(ctx, m, c, t, svc)
	told.Err = worded{steps.Line(state, last[svc.Name], "", steps.LongestLine), e.Err}
	if !strings.HasPrefix(told.Err.Error(), state) {
		told.Details = state + "\n" + told.Details
	}
	return &told
}

// worded is an error in other words.
type worded struct {
	text string
	error
}

func (w worded) Error() string { return w.text }
func (w worded) Unwrap() error { return w.error }

// Failure is what became of a service that did not start.
type Failure struct {
	Service service.Service
	Err     error
}

// explained is of how many failures the account is given. With each it takes a look at the
// manager and its log, while the device is dark.
const explained = 3

// Explain makes one error of the failures of several services, as Failures does, with the
// accounts of the first services. It is for when no more services are being started: it
// takes time.
func Explain(ctx context.Context, m service.Manager, c clock.Clock, t *steps.Task, all []Failure) error {
	if len(all) == 0 {
		return nil
	}
	errs := make([]error, len(all))
	for i, f := range all {
		errs[i] = f.Err
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	left := explained
	for _, i := range tellingMost(errs) {
		if left--; left < 0 {
			break
		}
		errs[i] = explain(ctx, m, c, t, all[i].Service, errs[i])
	}
	return Failures(errs)
}

// endOfLog returns the last lines of a service's log since the switch, each indented, and
// the last one that the service has printed itself. Without a moment of the switch in this
// boot, it is all of this boot.
func endOfLog(ctx context.Context, m service.Manager, c clock.Clock, t *steps.Task, svc service.Service) (lines []string, last string) {
	keeper, ok := m.(service.LogKeeper)
	if !ok {
		return nil, ""
	}
	since := time.Duration(0)
	if t.Since.Boot == c.Boot() {
		since = t.Since.Mono
	}
	raw, err := keeper.Tail(ctx, svc, since, logLines)
	if err != nil {
		return nil, ""
	}
	size := 0
	for _, one := range slices.Backward(raw) { // the newest lines tell most
		line := steps.Shorten(steps.Lines(one.Text), logBytes/4)
		if line == "" {
			continue
		}
		if last == "" && !one.About {
			last = steps.OneLine(line)
		}
		if size += len(line); size > logBytes {
			break
		}
		lines = append(lines, indent(line))
	}
	slices.Reverse(lines)
	return lines, last
}

// indent sets lines off from the line that introduces them.
func indent(lines string) string { return "  " + strings.ReplaceAll(lines, "\n", "\n  ") }
