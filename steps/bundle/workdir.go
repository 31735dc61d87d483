package bundle

// Names in the work directory of an update (steps.Task.WorkDir), by which the
// steps before Switch find each other's files.
const (
	// FileName is the bundle. Download leaves it there, whole and synced, and the
	// steps after it read it there.
	FileName = "bundle"
	// PlanFile has Download's plan for a bundle of which it brings only parts.
	// LackingFile lists the contents that then turned out to be missing. See
	// package supply.
	PlanFile    = "plan.json"
	LackingFile = "lacking.json"
)
