package engine

import (
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

// State is where an update stands. Table tells how it moves, rows what each is.
type State = journal.State

// The states of an update. Idle is what the status says when there is
// no update.
const (
	Idle           State = "Idle"
	Requested      State = "Requested"
	Downloading    State = "Downloading"
	Verifying      State = "Verifying"
	Ready          State = "Ready"
	Extracting     State = "Extracting"
	Staging        State = "Staging"
	Switching      State = "Switching"
	Restarting     State = "Restarting"
	CheckingHealth State = "CheckingHealth"
	Committing     State = "Committing"
	Committed      State = "Committed"
	Failed         State = "Failed"
	Cancelled      State = "Cancelled"
	RollingBack    State = "RollingBack"
	RolledBack     State = "RolledBack"
	FallingBack    State = "FallingBack"
	FellBack       State = "FellBack"
	NeedsAttention State = "NeedsAttention"
)

// The kinds of update, as the journal writes them; package steps says what they
// are for.
const (
	Install   = journal.Kind(steps.Install)
	ByHand    = journal.Kind(steps.ByHand)
	Restore   = journal.Kind(steps.Restore)
	Recovered = journal.Kind(steps.Recovered)
)
