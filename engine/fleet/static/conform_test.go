package static_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/fleet/fleettest"
	"github.com/tope/updater/steps/bundle/channel"
)

// secretWord is the value of the header that the device's transport adds.
const secretWord = "S3CRET-TOKEN"

// authorized adds a header to each request, as fetch.Transport does.
type authorized struct{ http.RoundTripper }

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+secretWord)
	return a.RoundTripper.RoundTrip(out)
}

func TestConform(t *testing.T) {
	fleettest.Conform(t, func(t *testing.T) *fleettest.Server {
		w := newWorld(t)
		network := &fleettest.Network{To: &w.host}
		w.cfg.Web = authorized{network}
		w.publish()
		number := 0
		return &fleettest.Server{
			Source:  func(*testing.T) fleet.Source { return w.start() },
			Network: network, Clock: w.clock, Secrets: []string{secretWord},
			Offer: func(*testing.T) {
				number++
				w.releases = append(w.releases, w.release(fmt.Sprintf("1.%d.0", number), fmt.Sprint(number)))
				w.publish()
			},
			Stop: func(*testing.T) {
				r := &w.releases[len(w.releases)-1]
				r.State, r.Why = channel.Halted, "loses the calibration"
				w.publish()
			},
			Picture: func() any { return len(w.files) },
		}
	})
}
