package healthcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
)

// longestText bounds, in bytes, why a check did not pass.
const longestText = 300

// unhealthy is the verdict on a version whose checks failed: a line with the check
// that tells most, and details with every check, how its service stands, and the end
// of that service's log.
func (g *Gate) unhealthy(ctx context.Context, t *steps.Task, plan []planned, results []Result) error {
	failed := failures(results)
	// The state of a service explains why its other checks fail.
	worst := failed[max(0, slices.IndexFunc(failed, func(r Result) bool { return r.Kind == health.Active }))]
	after := ""
	if worst.FailedBefore {
		after += " (it failed before the update, too)"
	}
	if n := len(failed) - 1; n > 0 {
		after += fmt.Sprintf(", and %d more failed", n)
	}
	class, late := blame(results)
	hint := ""
	if class == steps.Late {
		hint = advice(t, late)
	}
	accounts, lastWords := running.Accounts(ctx, g.cfg.Manager, g.cfg.Clock, t, servicesOf(plan, failed)...)
	// Line and hint stand in one line.
	room := max(steps.LongestLine-len("; ")-len(hint), steps.LongestLine/2+len(after))
	line := worst.short(room-len(after)) + after
	if state := worst.standing(); state != "" {
		line = steps.Line(state, cmp.Or(lastWords[worst.Service], steps.OneLine(worst.saw)), after, room)
	}
	var details []string
	for _, r := range failed {
		details = append(details, r.line())
		if r.Details != "" {
			details = append(details, r.Details)
		}
	}
	if len(details) == 1 && strings.HasPrefix(line, worst.line()) {
		details = nil // the line says it
	}
	details = append(details, accounts)
	return &steps.Error{
		Class: class, Code: steps.HealthFailed, Err: errors.New(line), Hint: hint, Late: late, Details: strings.Join(details, "\n"),
	}
}

// standing is how the service stands that a check has failed for; empty when that is not
// why it has failed.
func (r Result) standing() string {
	if r.Kind == health.Active {
		return r.Text
	}
	return r.state
}

// line tells why a check did not pass. What an Active check says names its service.
func (r Result) line() string {
	if r.Kind == health.Active {
		return r.Text
	}
	return r.name() + ": " + r.Text
}

// short is the line within a limit in bytes. It always names the service.
func (r Result) short(limit int) string {
	whole := r.line()
	if len(whole) <= limit || r.Kind == Origin || r.Service == "" {
		return whole
	}
	name := r.Service + ": "
	return name + steps.Brief(strings.TrimPrefix(whole, name), limit-len(name))
}

// servicesOf lists the services of the failed checks, each once.
func servicesOf(plan []planned, failed []Result) (list []service.Service) {
	for _, p := range plan {
		named := func(s service.Service) bool { return s.Name == p.svc.Name }
		if p.svc.Name != "" && !slices.ContainsFunc(list, named) &&
			slices.ContainsFunc(failed, func(r Result) bool { return r.Service == p.svc.Name }) {
			list = append(list, p.svc)
		}
	}
	return list
}
