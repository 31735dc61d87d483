package healthcheck

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/steps"
)

// How generous the gate is on the way back. It judges the version that ran before, so
// an unlucky limit must not drive a device on to an older one.
const (
	// fair times the longest time that a check was ever seen to need is what it gets.
	fair = 2
	// unseen times its limit is what a check of the configuration gets that was never
	// seen to pass, up to unseenMost. A device that really hangs is dark for so long.
	unseen     = 10
	unseenMost = 10 * time.Minute
)

// ending is how long a process of the version that was left may take to end before it is
// told of, on the way back.
const ending = 2 * time.Second

// what is the check's name in figures.
func (r Result) what() string { return steps.CheckOf(string(r.Kind), r.Target) }

// figures are how long the checks took that passed, whether they had to or not.
func figures(results []Result) (list []steps.Figure) {
	for _, r := range results {
		if r.Passed {
			list = append(list, steps.Figure{Service: r.Service, What: r.what(), Took: r.Ready})
		}
	}
	return list
}

// limit is how long a check may take until it is true. On the way forward that is what
// the check says. On the way back it is at least twice the longest time that the check
// was ever seen to need, on this device, of whatever version. A check that need not pass
// is looked at only for what it may teach of the release that failed.
func limit(t *steps.Task, p planned) time.Duration {
	c := p.check
	says := cmp.Or(time.Duration(c.Timeout), health.DefaultTimeout)
	if c.Kind == Origin && !p.needed {
		return min(says, ending)
	}
	if !t.Back || !p.needed {
		return says
	}
	if seen, ok := t.History.Of(c.Service, steps.CheckOf(string(c.Kind), c.Target())); ok {
		return max(says, fair*seen.Longest)
	}
	if p.own {
		return fair * says // the version before has set it for itself
	}
	return max(fair*says, min(unseen*says, unseenMost))
}

// near is the part of a limit, in percent, from which on it is called near.
const near = 80

// pace tells of the limits that are near what the device has seen before, each with
// what to change. A limit of a start that is missing or 0 is none. It never refuses
// anything: what was within its limit yesterday may be so today.
func (p *preflight) pace(ctx context.Context) error {
	told := map[string]bool{}
	tell := func(name string, seen steps.Seen, limit time.Duration, raise string) {
		if limit <= 0 || seen.Longest < limit/100*near || told[name] {
			return
		}
		told[name] = true
		when := fmt.Sprintf("took %s last time", short(seen.Took))
		if seen.Took < limit/100*near {
			when = fmt.Sprintf("has taken up to %s", short(seen.Longest))
		}
		p.warn(steps.HealthFailed, "raise "+raise, "%s %s, and its limit is %s", name, when, limit)
	}
	for _, one := range p.plan {
		c := one.check
		if seen, ok := p.t.History.Of(one.svc.Name, steps.Start); ok {
			l, err := p.launch(ctx, one.svc)
			if err != nil {
				return err
			}
			tell("the start of "+one.svc.Name, seen, l.StartLimit, "TimeoutStartSec= of "+one.svc.UnitName())
		}
		if seen, ok := p.t.History.Of(c.Service, steps.CheckOf(string(c.Kind), c.Target())); ok {
			name := Result{Service: c.Service, Kind: c.Kind, Target: c.Target()}.name()
			tell("the check "+name, seen, cmp.Or(time.Duration(c.Timeout), health.DefaultTimeout), "its timeout")
		}
	}
	return nil
}

// short is a duration without the digits that nobody reads.
func short(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
