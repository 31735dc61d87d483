// Package turnback is the steps Rollback and Factory. Both are Switch, Restart
// and HealthCheck with another target, and so they are one piece of code: the
// engine names the target in Task.Target and sets Task.Back.
package turnback

import "github.com/tope/updater/steps"

// New makes the step out of its three parts.
func New(swtch, restart, healthCheck steps.Step) steps.Step {
	return steps.Sequence{
		{Name: steps.Switch, Step: swtch},
		{Name: steps.Restart, Step: restart},
		{Name: steps.HealthCheck, Step: healthCheck},
	}
}
