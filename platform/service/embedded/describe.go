package embedded

import (
	"context"
	"slices"

	"github.com/tope/updater/platform/service"
)

var _ service.Launcher = (*Manager)(nil)

// Launch implements service.Launcher: the configured command, in "/". A start is
// over when the program is executed, so it needs no limit.
func (m *Manager) Launch(ctx context.Context, s service.Service) (service.Launch, error) {
	if err := context.Cause(ctx); err != nil || len(s.Exec) == 0 {
		return service.Launch{}, err
	}
	patience := s.StopTimeout
	if patience <= 0 {
		patience = stopTimeout
	}
	return service.Launch{
		Type: "exec", StopLimit: patience,
		Commands: []service.Execution{{Phase: service.Main, Path: s.Exec[0], Args: slices.Clone(s.Exec)}},
	}, nil
}

// Processes implements service.Launcher: the main process, and those that carry
// the service's marker.
func (m *Manager) Processes(ctx context.Context, s service.Service) ([]int, error) {
	if err := context.Cause(ctx); err != nil || len(s.Exec) == 0 {
		return nil, err
	}
	u, err := m.unit(s)
	if err != nil {
		return nil, err
	}
	var found []int
	if main := u.status().MainPID; main != 0 {
		found = append(found, main)
	}
	for _, one := range strays(u.marker) {
		found = append(found, one.pid)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
