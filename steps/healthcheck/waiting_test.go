package healthcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps/running"
)

// A service that rightly waits for its socket is not doomed, though it had crashed and was
// restarted while it ran: systemd keeps that count.
func TestAServiceThatWaitsIsNotDoomed(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Active})
	b.task.Units = noted(running.Companions{Boot: b.clock.Boot(), Triggers: []string{"device-api.socket"}, Idle: []string{"device-api"}})
	b.manager.Set("device-api", func(s *service.Status) {
		s.Active, s.Sub, s.Result, s.MainPID, s.Restarts = service.Stopped, "dead", "success", 0, 1
	})
	_, err := b.gate.Do(t.Context(), b.task)
	require.NoError(t, err)
	_, why := b.gate.Doomed(t.Context(), b.task, []service.Service{{Name: "device-api"}})
	require.NoError(t, why)
}
