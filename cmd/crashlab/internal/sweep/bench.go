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
	// Reset brings the device to the beginning of the flow; with from set, to the
	// tree at that path instead.
	Reset(from string) error
	// Act boots the device and carries out the flow. The handler, which may be
	// nil, sees the flow's calls only, not those of programs started before it.
	Act(ctx context.Context, w Watch) (Story, error)
	// Succeed is Act, and then, in the same boot, what a device does when its updater
	// was killed: the daemon starts again; with recover set, recover runs before that,
	// as when a service that wants it is restarted. The handler sees all their calls.
	Succeed(ctx context.Context, w Watch, recover bool) (Story, error)
	// Recover boots the device and lets it recover to the end. The handler sees
	// the recovery's calls only.
	Recover(ctx context.Context, w Watch) (Story, error)
	// Promises reports whether the text tells somebody of success.
	Promises(said []byte) bool
	// Judge boots the device, lets it recover, and checks the rules. It returns
	// how the device ended, in words that are the same for the same end. A
	// *Violation is the device's fault, any other error the laboratory's.
	Judge(ctx context.Context, s Story, d Depth) (end string, err error)
}

// Watch says how to watch a run.
type Watch struct {
	Handler trace.Handler
	// Record makes writes carry their data.
	Record bool
}

// Story is the history of a device before it is judged.
type Story struct {
	// Cut is set when the power was cut, Exit is the exit status otherwise.
	Cut  bool
	Exit int
	// Promised is set when success was reported before the end.
	Promised bool
	// Fault names the errno that was injected, or is FullDisk; empty for none.
	Fault string
	// Rough is set when the device had more than one cut: another cut, or a failed
	// call. Then it may turn back from an update that it would have finished otherwise.
	Rough bool
	// Lost is set when unsynced changes were lost in the cut.
	Lost bool
	// Hung is set when the program did not end and had to be cut off.
	Hung bool
}

// Depth says how much Judge checks of a device.
type Depth int

// From the cheapest to the dearest; each includes the checks of those before it.
const (
	// Quick checks the state that a boot must establish.
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
