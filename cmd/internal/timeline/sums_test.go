package timeline

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tope/updater/platform/health"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/healthcheck"
	"github.com/tope/updater/steps/restart"
	"github.com/tope/updater/steps/switchover"
)

// Evidence of the steps, in the form that people read.
func TestEvidenceIsSummedUp(t *testing.T) {
	gate := healthcheck.Evidence{Results: []healthcheck.Result{
		{Service: "device-api", Kind: health.Active, Target: "device-api", Passed: true, Needed: true, Looks: 5},
		{Service: "device-api", Kind: health.HTTP, Target: "http://127.0.0.1:9080/health", Needed: true, Text: "503 Service Unavailable"},
		{Service: "web-server", Kind: health.TCP, Target: "127.0.0.1:80", Text: "refused"},
	}}
	began := restart.Evidence{Downtime: 24 * time.Millisecond, Started: []restart.Started{
		{Name: "device-api", Took: 7 * time.Millisecond, Status: service.Status{MainPID: 17}},
		{Name: "web-server", Took: 3 * time.Millisecond, Status: service.Status{MainPID: 18}},
	}}
	flip := switchover.Evidence{Switched: steps.Switched{StoppedAt: steps.Moment{Boot: "b", Mono: time.Hour}}, Stopped: []string{"web-server"}}
	for name, c := range map[string]struct {
		evidence any
		want     []string
	}{
		"gate": {gate, []string{
			"1 of 3 checks passed",
			"not passed: device-api http http://127.0.0.1:9080/health: 503 Service Unavailable",
			"not passed: web-server tcp 127.0.0.1:80: refused (not needed)",
		}},
		"restart": {began, []string{"started device-api in 7.0 ms (process 17), web-server in 3.0 ms (process 18), downtime 24 ms"}},
		"switch":  {flip, []string{"stopped web-server, stop took 0.0 ms, flip took 0.0 ms"}},
		"turning back": {map[string]any{"HealthCheck": gate}, []string{
			"HealthCheck: 1 of 3 checks passed",
			"HealthCheck, not passed: device-api http http://127.0.0.1:9080/health: 503 Service Unavailable",
			"HealthCheck, not passed: web-server tcp 127.0.0.1:80: refused (not needed)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(c.evidence)
			require.NoError(t, err)
			require.Equal(t, c.want, facts(raw)[:len(c.want)])
		})
	}
}
