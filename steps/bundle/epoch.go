package bundle

import (
	"fmt"

	"github.com/tope/updater/steps"
)

// CheckEpoch refuses a release older than what this device has committed
// already, validly signed or not, unless the task is forced.
func CheckEpoch(t *steps.Task, version string, epoch int64) error {
	if epoch >= t.EpochFloor || t.Force {
		return nil
	}
	return &steps.Error{
		Class: steps.Refused, Code: steps.EpochTooLow,
		Err:  fmt.Errorf("release %s is of epoch %d, and this device has committed epoch %d: it would be a step back", version, epoch, t.EpochFloor),
		Hint: "use --force to install it all the same",
	}
}
