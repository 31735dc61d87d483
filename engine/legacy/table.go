package legacy

import (
	"github.com/tope/updater/engine"
	"github.com/tope/updater/steps"
)

// Row is the view that a legacy client has of one state of the engine.
type Row struct {
	Stage Stage
	// From and To are the part of the stage's 0 to 100 that the state covers.
	// A stage that several states share is cut into parts that follow each
	// other, so that its progress never goes back.
	From, To int
	// Message is frozen. {to} and {from} stand for "version 1.2.3", {version}
	// for the bare number of the version the update goes to.
	Message string
	// Nowhere replaces a message with {from} when there was no version before.
	Nowhere string
	// Code leads the error field, before the failure's own code; empty when
	// the failure's own code stands first.
	Code string
	// Why is the error's text when the update carries none.
	Why string
}

// The codes that lead the error field of an update that was rolled back or
// needs attention.
const (
	RollbackLevel1 = "ROLLBACK_LEVEL_1"
	RollbackLevel2 = "ROLLBACK_LEVEL_2"
	Attention      = "NEEDS_ATTENTION"
)

// RowOf returns the row of a state. The kind matters only in Requested, which
// is the door to a download, a switch or a gate.
func RowOf(s engine.State, kind steps.Kind) Row {
	switch s {
	case engine.Idle:
		return Row{Stage: Idle, Message: "Updater ready"}

	case engine.Requested:
		switch kind {
		case steps.ByHand, steps.Restore, steps.Probation:
			return Row{Stage: Installing, Message: "Installing {to}..."}
		case steps.Recovered:
			return Row{Stage: Rebooting, Message: "Starting services..."}
		}
		return Row{Stage: Downloading, Message: "Downloading {to}..."}
	case engine.Downloading:
		return Row{Stage: Downloading, To: 100, Message: "Downloading {to}..."}

	case engine.Verifying:
		return Row{Stage: Verifying, To: 100, Message: "Verifying package integrity..."}

	case engine.Ready:
		return Row{Stage: ToInstall, From: 100, To: 100, Message: "Package ready to install: {version}"}

	case engine.Extracting:
		return Row{Stage: Installing, To: 50, Message: "Installing {to}..."}
	case engine.Staging:
		return Row{Stage: Installing, From: 50, To: 80, Message: "Installing {to}..."}
	case engine.Switching:
		return Row{Stage: Installing, From: 80, To: 100, Message: "Stopping services..."}

	case engine.Restarting:
		return Row{Stage: Rebooting, To: 40, Message: "Starting services..."}
	case engine.CheckingHealth:
		return Row{Stage: Rebooting, From: 40, To: 95, Message: "Verifying deployment..."}
	case engine.Committing:
		// Not 100: nothing before the commit record may look like success.
		return Row{Stage: Rebooting, From: 95, To: 99, Message: "Verifying deployment..."}

	case engine.Committed:
		return Row{Stage: Success, From: 100, To: 100, Message: "Successfully installed {to}"}

	case engine.Failed:
		return Row{Stage: Failed, Message: "Update failed", Why: "the device is unchanged"}
	case engine.Cancelled:
		return Row{
			Stage: Failed, Message: "Update cancelled",
			Code: string(steps.CancelledByUser), Why: "the update was cancelled, the device is unchanged",
		}
	case engine.Checked:
		// No success: nothing was installed. Legacy clients cannot ask for a check, and
		// wait for nothing.
		return Row{Stage: Idle, Message: "Updater ready"}
	// Going back is not the end of the story: a client that polls stops at the first
	// "failed", and would never learn where the device arrived. Progress stays where
	// the stage was left.
	case engine.RollingBack:
		return Row{
			Stage: Installing, From: 100, To: 100,
			Message: "Update failed, rolling back to {from}...", Nowhere: "Update failed, no version to roll back to...",
		}
	case engine.FallingBack:
		return Row{Stage: Installing, From: 100, To: 100, Message: "Rollback failed, restoring the factory version..."}
	case engine.Returning:
		return Row{
			Stage: Installing, From: 100, To: 100,
			Message: "Update failed, returning to {from}...", Nowhere: "Update failed, no version to return to...",
		}
	case engine.RolledBack:
		return Row{
			Stage: Failed, Message: "Update failed, rolled back to {from}", Nowhere: "Update failed, no version is installed",
			Code: RollbackLevel1, Why: "the new version did not run",
		}
	case engine.FellBack:
		return Row{
			Stage: Failed, Message: "Rollback failed, the factory version was restored",
			Code: RollbackLevel2, Why: "neither the new nor the old version ran",
		}
	}
	// NeedsAttention, and any state that only a newer updater's journal has: an
	// unknown state must not look harmless.
	return Row{
		Stage: Failed, Message: "Update failed, the device needs attention",
		Code: Attention, Why: "no version could be brought up",
	}
}
