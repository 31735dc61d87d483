package hawkbit_test

import (
	"fmt"
	"testing"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/ddi/dditest"
)

func TestConform(t *testing.T) {
	fleettest.Conform(t, func(*testing.T) *fleettest.Server {
		server := dditest.New(dditest.Switches{Links: host})
		server.AddTarget("dev1", token)
		clk, network := clocktest.New(), &fleettest.Network{To: server}
		var actions []string
		return &fleettest.Server{
			Network: network, Clock: clk, Secrets: []string{token},
			Source: func(t *testing.T) fleet.Source { return newSource(t, network, clk) },
			Offer: func(*testing.T) {
				n := len(actions) + 2
				set := server.AddBundle(fmt.Sprintf("app-%d.0.0.tope", n), fmt.Sprintf("%d.0.0", n), fmt.Appendf(nil, "bundle %d", n))
				actions = append(actions, server.Assign("dev1", set, dditest.Forced))
			},
			Stop: func(*testing.T) { server.Cancel(actions[len(actions)-1]) },
			Picture: func() any {
				picture := []any{server.Attributes("dev1")}
				for _, a := range actions {
					view := server.Action(a)
					picture = append(picture, view.State)
					for _, e := range view.Entries {
						if e.State != "retrieved" {
							picture = append(picture, e)
						}
					}
				}
				return picture
			},
		}
	})
}
