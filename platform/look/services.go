package look

import (
	"context"
	"fmt"

	"github.com/tope/updater/platform/service"
)

// Service is a service with what its manager says of it at one moment.
type Service struct {
	service.Service
	service.Status
}

// ServiceAt asks a manager about a service. An error is the manager's, not the service's.
func ServiceAt(ctx context.Context, m service.Manager, s service.Service) (Service, error) {
	st, err := m.Status(ctx, s)
	return Service{s, st}, err
}

// Condition sums up how a service stands.
type Condition string

// A service is in one of these conditions.
const (
	// Unknown: the manager has no such unit.
	Unknown Condition = "unknown"
	// Unusable: there is a unit, and it cannot be run (Status.Unusable says why).
	Unusable Condition = "unusable"
	// Up: it runs, or reloads its configuration while it runs.
	Up Condition = "up"
	// Down: it does not run, or is on its way up or down.
	Down Condition = "down"
)

// Condition tells which condition the service is in.
func (s Service) Condition() Condition {
	switch {
	case !s.Loaded:
		return Unknown
	case s.Unusable() != "":
		return Unusable
	case s.Active == service.Running, s.Active == service.Reloading:
		return Up
	}
	return Down
}

// String says how the service stands, with all that an operator asks for next.
func (s Service) String() string {
	switch s.Condition() {
	case Unknown:
		return fmt.Sprintf("the service manager knows no unit %s", s.UnitName())
	case Unusable:
		return fmt.Sprintf("%s is %s", s.UnitName(), s.Unusable())
	}
	text := fmt.Sprintf("%s is %s (%s)", s.Name, s.Active, s.Sub)
	if c := s.Condition(); c == Down && (s.Result != "success" || s.ExitStatus != 0) {
		text += ": " + s.Ended()
	}
	switch s.Restarts {
	case 0:
	case 1:
		text += ", restarted once by itself"
	default:
		text += fmt.Sprintf(", restarted %d times by itself", s.Restarts)
	}
	return text
}
