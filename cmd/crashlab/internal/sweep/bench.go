//go:build linux && amd64

package sweep

import (
	"context"
	"fmt"

	"github.com/tope/updater/cmd/crashlab/internal/trace"
)

// Bench is one device to break. A sweep uses several at once, each from one
// goroutine.
type Bench interface {
	// Root is the watched tree.
	Root() string
	// Class names a path so that the name is stable from run to run; "" for
	// paths whose calls do not count.
	Class(path string) string
	// Volatile reports whether a path is in memory only: it is gone after a
	// power cut and nothing about it can be lost.
	Volatile(path string) bool
	// Reset brings the device to where the flow begins; with from set, to the
	// tree at that path instead.
	Reset(from string) error
	// Act boots the device and carries out the flow. The handler, which may be
	// nil, sees its calls only, not those of what is started before it.
	Act(ctx context.Context, w Watch) (Story, error)
	// Recover boots the device and lets it recover to the end, likewise.
	Recover(ctx context.Context, w Watch) (Story, error)
	// Promises reports whether the text tells somebody of success.
	Promises(said []byte) bool
	// Judge boots the device, lets it recover, and checks what must hold. It
	// returns how the device ended, in words that are the same for the same
	// end. A *Violation is the device's fault, any other error the laboratory's.
	Judge(ctx context.Context, s Story, d Depth) (end string, err error)
}

// Watch is how a run is watched.
type Watch struct {
	Handler trace.Handler
	// Record makes writes carry their data.
	Record bool
}

// Story is what happened to a device before it is judged.
type Story struct {
	// Cut is set when the power was cut, Exit is the exit status otherwise.
	Cut  bool
	Exit int
	// Promised is set when success was reported before the end.
	Promised bool
	// Fault names the errno that was injected, or is FullDisk; empty for none.
	Fault string
	// Rough is set when more happened to the device than one cut: another one,
	// or a failed call. It may then turn back from an update that it would have
	// finished otherwise.
	Rough bool
	// Lost is set when unsynced changes were lost in the cut.
	Lost bool
	// Hung is set when the program did not end and had to be cut off.
	Hung bool
}

// Depth says how much Judge checks of a device.
type Depth int

// From the cheapest to the dearest; each asks what those before it ask.
const (
	// Quick checks what a boot must establish.
	Quick Depth = iota
	// Finish checks that the open update comes to its end, and that recovering
	// again changes nothing.
	Finish
	// Next checks that the next update works as well.
	Next
)

// Violation is a rule that a device has broken.
type Violation struct{ What string }

func (v *Violation) Error() string { return v.What }

// Violate makes a Violation.
func Violate(format string, a ...any) error { return &Violation{fmt.Sprintf(format, a...)} }
