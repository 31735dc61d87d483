package fleettest

import (
	"testing"

	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/platform/clock/clocktest"
)

// Server is what a source asks, with one device that it knows and nothing that is offered.
type Server struct {
	// Source makes a Source as a start of the updater does: it has nothing of those before
	// it in memory. It makes its requests through Network, and measures time by Clock.
	Source  func(t *testing.T) fleet.Source
	Network *Network
	Clock   *clocktest.Fake
	// Offer offers the device another release, which is open to it at once. The one before
	// stays as it is, unless the server cannot have two.
	Offer func(t *testing.T)
	// Stop takes back the release that was offered last: it is halted, withdrawn, cancelled.
	Stop func(t *testing.T)
	// Picture is what the server knows of the device, without when it asked what.
	Picture func() any
	// Secrets are what must be in no error, answer or fact, such as the device's token.
	Secrets []string
}
